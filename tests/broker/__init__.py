"""A Kafka broker for tests and benchmarks: one Java process, its files from Maven Central."""
