"""Settings from YAML to frozen dataclasses, durations, and where state lives."""
