"""The lock of a state folder, which one server at a time can use."""

import fcntl
import os
from pathlib import Path

from netops.errors import NetopsError


class StateInUseError(NetopsError):
    """Another server uses the state."""


def lock(folder: Path) -> int:
    """Lock a state folder until the process ends, or the returned file is closed.

    Raises
    ------
    StateInUseError
        If another server uses it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StateInUseError(f"{folder}: in use by another server; stop it, or serve another --name") from None
    return handle
