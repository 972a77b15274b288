"""A listener for syslog over UDP and TCP."""
