"""Alerts: policy, state machine, matching to incidents, roll-up and silences."""
