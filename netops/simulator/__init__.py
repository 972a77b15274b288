"""The simulator: telemetry of a synthetic network, with known failures."""
