"""What MLRun has recorded of runs and their steps."""
