"""Additional destinations of telemetry."""
