"""NetOps predicts which network devices are about to fail, from their telemetry."""

__version__ = "0.1.0"
