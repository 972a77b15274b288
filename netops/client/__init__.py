"""Clients of a running server: HTTP requests, telemetry replay, feedback."""
