"""Checks of telemetry before training."""
