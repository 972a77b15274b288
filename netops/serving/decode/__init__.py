"""Request bodies in, samples out: JSON, NDJSON, Arrow IPC, Prometheus remote write."""
