"""The state folder: ``NETOPS_HOME``, or ``~/.netops``."""

import os
from pathlib import Path

from netops.errors import NetopsError

#: Name of the MLRun project.
PROJECT = "netops"


def home() -> Path:
    """Return the folder of the run database, the data of runs and the models (created on first use).

    Raises
    ------
    NetopsError
        If it is not a folder, or cannot be created; names the setting.
    """
    folder = Path(os.environ.get("NETOPS_HOME") or Path.home() / ".netops").expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError:
        raise NetopsError(f"NETOPS_HOME={folder} is not a folder; set NETOPS_HOME to one") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise NetopsError(
            f"NETOPS_HOME={folder} cannot be created: {why}; set NETOPS_HOME to another folder"
        ) from None
    return folder
