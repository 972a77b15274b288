"""Folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netops.errors import UsageError


@contextmanager
def draft_folder(out: Path) -> Iterator[Path]:
    """Give a folder beside ``out`` to fill; it takes the place of ``out`` when the block ends well.

    A dataset that is already there is replaced; nothing else is.

    Raises
    ------
    UsageError
        If ``out`` is a file, or a folder that holds something else than a dataset.
    """
    _refuse_strangers(out)
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


def _refuse_strangers(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder")
    if not out.is_dir():
        return
    for entry in out.iterdir():
        if not (entry.name.startswith("_") or (entry.name.startswith("part-") and entry.suffix == ".parquet")):
            raise UsageError(f"{out}: holds something else than a dataset ({entry.name}); name a new folder")
