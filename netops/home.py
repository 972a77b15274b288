"""Where state lives: ``NETOPS_HOME``, or ``~/.netops``."""

import os
from pathlib import Path

#: Name of the MLRun project.
PROJECT = "netops"


def home() -> Path:
    """Name the folder that holds the run database, the data of runs and the models (made on first use)."""
    folder = Path(os.environ.get("NETOPS_HOME") or Path.home() / ".netops").expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
