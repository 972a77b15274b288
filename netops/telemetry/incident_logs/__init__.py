"""Incident logs in separate files: exports of ticket and alerting systems, annotation files."""
