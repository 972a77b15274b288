"""What operators look at and are called by: Grafana, Prometheus and Alertmanager as code."""
