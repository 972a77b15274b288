"""Atomic creation of folders."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from netops.errors import UsageError

_OWN = re.compile(
    r"part-\d{5}\.parquet|_(meta\.json|incidents\.parquet|verdicts\.parquet|test)|_dealt-.*|\..*\.tmp"
)


@contextmanager
def draft_folder(out: Path) -> Iterator[Path]:
    """Yield a temporary folder next to ``out``; it replaces ``out`` when the block ends without an error.

    An existing dataset is replaced; any other folder is not.

    Raises
    ------
    UsageError
        If ``out`` is a file, or a folder that contains something other than a dataset.
    """
    refuse_foreign_files(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.parent / f".{out.name}.{os.getpid()}.tmp"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
        if out.exists():
            shutil.rmtree(out)
        os.replace(draft, out)
    finally:
        _remove(draft)


def _remove(draft: Path) -> None:
    """Remove a folder in which tasks of a cancelled cluster may still write: under its name, they find none."""
    removed = draft.with_name(f"{draft.name.removesuffix('.tmp')}-{uuid4().hex[:8]}.tmp")
    with suppress(FileNotFoundError):
        os.replace(draft, removed)
    shutil.rmtree(removed, ignore_errors=True)


def refuse_foreign_files(out: Path) -> None:
    """Raise if a folder contains anything but a dataset of this program.

    Raises
    ------
    UsageError
        If ``out`` is a file, a folder that cannot be created, or one that contains something else.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder")
    above = next(parent for parent in out.absolute().parents if parent.exists())
    if not above.is_dir():
        raise UsageError(f"{out}: {above} is a file, not a folder")
    if not out.is_dir():
        return
    for entry in sorted(out.iterdir()):
        # Incomplete files of killed processes may be removed.
        if not _OWN.fullmatch(entry.name):
            raise UsageError(f"{out}: contains something other than a dataset ({entry.name}); name a new folder")
