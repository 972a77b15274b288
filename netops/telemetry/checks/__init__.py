"""Checks of telemetry before anything is learned from it."""
