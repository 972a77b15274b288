"""Where telemetry comes from: one module a source, each yielding the same normal form (see ``protocol``)."""
