"""Settings from YAML to frozen dataclasses, durations, and the state folder."""
