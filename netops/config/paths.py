"""Where state lives: ``NETOPS_HOME``, or ``~/.netops``."""

import os
from pathlib import Path

from netops.errors import NetopsError

#: Name of the MLRun project.
PROJECT = "netops"


def home() -> Path:
    """Name the folder that holds the run database, the data of runs and the models (made on first use).

    Raises
    ------
    NetopsError
        If it is no folder, or cannot be made; it names the setting.
    """
    folder = Path(os.environ.get("NETOPS_HOME") or Path.home() / ".netops").expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError:
        raise NetopsError(f"NETOPS_HOME={folder} is not a folder; set NETOPS_HOME to one") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise NetopsError(
            f"NETOPS_HOME={folder} cannot be made: {why}; set NETOPS_HOME to another folder"
        ) from None
    return folder
