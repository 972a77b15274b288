"""Additional destinations of telemetry, besides the dataset folder."""
