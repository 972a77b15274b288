"""What the stages of the pipeline do before and after the library's own work."""
