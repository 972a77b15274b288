"""Loaded by each worker of a local cluster when it starts."""

import os


def dask_setup(worker: object) -> None:
    """Close the standard output, which is that of the command: XGBoost prints its ranks there."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
