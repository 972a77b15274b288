"""Clients of a running server: requests, replay of telemetry, feedback."""
