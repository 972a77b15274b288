"""Parse times in telemetry."""
