"""The state of a network and the steps that every sample takes through it."""
