"""Inspect telemetry before a run: its contents, and the settings with which training works."""
