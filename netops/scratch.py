"""Temporary folders for downloads, deleted when they are no longer used or when the process ends."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_folders: dict[Path, int] = {}


def scratch_folder() -> Path:
    """Make a folder that is removed when this process ends."""
    if not _folders:
        atexit.register(_remove_all)
    folder = Path(tempfile.mkdtemp(prefix="netops-"))
    _folders[folder] = os.getpid()
    return folder


def discard(folder: Path) -> None:
    """Remove a folder now, if it is one of these; any other stays."""
    if _folders.pop(folder, None) == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)


def _remove_all() -> None:
    # A forked child inherits the list, and must leave its parent's folders alone.
    for folder in list(_folders):
        discard(folder)
