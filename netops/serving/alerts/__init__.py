"""Alerts of a server: active alerts, alert store, and delivery to receivers."""
