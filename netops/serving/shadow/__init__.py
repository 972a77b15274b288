"""Shadow scoring: a challenger scores the same samples as the champion, without alerts."""
