"""Folders that appear whole or not at all."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netops.errors import UsageError

_OWN = re.compile(
    r"part-\d{5}\.parquet|_(meta\.json|incidents\.parquet|verdicts\.parquet|test)|_dealt-.*|\..*\.tmp"
)


@contextmanager
def draft_folder(out: Path) -> Iterator[Path]:
    """Give a folder beside ``out`` to fill; it takes the place of ``out`` when the block ends well.

    A dataset that is already there is replaced; nothing else is.

    Raises
    ------
    UsageError
        If ``out`` is a file, or a folder that holds something else than a dataset.
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
        shutil.rmtree(draft, ignore_errors=True)


def refuse_foreign_files(out: Path) -> None:
    """Refuse a folder that holds anything but a dataset of this program.

    Raises
    ------
    UsageError
        If ``out`` is a file, a folder that cannot be, or one that holds something else.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder")
    above = next(parent for parent in out.absolute().parents if parent.exists())
    if not above.is_dir():
        raise UsageError(f"{out}: {above} is a file, not a folder")
    if not out.is_dir():
        return
    for entry in sorted(out.iterdir()):
        # What killed processes left half-written is nobody's.
        if not _OWN.fullmatch(entry.name):
            raise UsageError(f"{out}: holds something else than a dataset ({entry.name}); name a new folder")
