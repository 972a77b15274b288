"""Loaded by each worker of a local cluster when it starts."""

import os


def dask_setup(worker: object) -> None:
    """Close the standard streams, which are those of the command: XGBoost prints its ranks there.

    Errors of tasks are reported by the command. ``--verbose`` leaves the streams open.
    """
    if os.environ.get("NETOPS_VERBOSE"):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)
