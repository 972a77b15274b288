"""Alerts of a server: open ones, their store, and delivery to receivers."""
