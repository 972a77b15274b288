"""Logs of devices: reading of syslog and exports, and templates of messages."""
