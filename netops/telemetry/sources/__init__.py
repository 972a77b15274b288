"""Where telemetry comes from: one module per source, each yields the same normal form (see ``protocol``)."""
