"""The pipeline on this machine: run, resume, cancel, retry, prune."""
