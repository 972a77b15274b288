"""Logs of incidents that come beside telemetry: exports of ticket and alerting systems, annotation files."""
