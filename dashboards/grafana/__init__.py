"""Grafana dashboards, built in Python; ``python -m dashboards.grafana`` writes them to ``json/``."""
