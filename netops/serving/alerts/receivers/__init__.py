"""Receivers of alerts, one kind per module."""
