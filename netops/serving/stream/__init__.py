"""Samples from the partitions of a Kafka topic, for processes without Nuclio."""
