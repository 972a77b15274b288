"""History replayed through the serving pipeline: what would have been alerted, against what happened."""
