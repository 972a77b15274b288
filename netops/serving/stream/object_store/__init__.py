"""The state of partitions in an object store (S3), fenced by conditional writes."""
