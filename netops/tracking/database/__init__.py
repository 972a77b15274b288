"""MLRun's run database over one SQLite file."""
