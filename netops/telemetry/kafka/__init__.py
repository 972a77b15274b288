"""Kafka: addresses of topics, and the client."""
