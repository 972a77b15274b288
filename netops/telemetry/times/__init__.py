"""Times in telemetry: the only reader of them."""
