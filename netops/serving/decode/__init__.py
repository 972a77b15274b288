"""Parsers of request bodies: JSON, NDJSON, Arrow IPC, Prometheus remote write."""
