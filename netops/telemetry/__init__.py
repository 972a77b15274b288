"""Telemetry: schema, datasets, ingest, checks."""
