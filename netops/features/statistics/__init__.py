"""Statistics of a window, each computed from its aggregates; ``registry`` lists them."""
