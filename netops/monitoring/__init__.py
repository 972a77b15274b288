"""Drift of a network against what its model was trained on."""
