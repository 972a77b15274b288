"""Where telemetry goes to, beside the dataset folder."""
