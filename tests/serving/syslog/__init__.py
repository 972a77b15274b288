"""Tests of the syslog listener."""
