"""What telemetry holds and what can be learned from it, before any run."""
