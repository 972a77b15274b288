"""From risks to alerts: policy, state machine, matching to incidents, roll-up and silences."""
