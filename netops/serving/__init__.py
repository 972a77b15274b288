"""The champion in service: state, requests, alerts, shadow, MLRun's graph."""
