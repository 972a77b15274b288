"""Formats of log lines."""
