"""The generator: telemetry of a network that does not exist, with failures whose truth is known."""
