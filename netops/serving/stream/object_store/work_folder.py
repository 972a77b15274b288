"""The folder in which a process works on the state of a partition: what of it is saved, and how it is restored."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from netops.errors import NetopsError
from netops.serving.engine.snapshot import FILE

#: Names of an earlier snapshot, of the dead letters, and of the small files that belong to a state.
_EARLIER, _LETTERS = "state.*.bin", "dead-letters*.jsonl"
_TEXTS = ("replay.json", "sites.json", "shadows/*.json")
#: Attempts to open a snapshot that is replaced meanwhile.
_ATTEMPTS = 20


class Identity(NamedTuple):
    """What a file keeps when it is renamed."""

    inode: int
    size: int
    written: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Identity":
        """Return that of a file."""
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


class OpenFile(NamedTuple):
    """An open file of a snapshot."""

    identity: Identity
    file: BinaryIO


@contextmanager
def opened_snapshot(folder: Path) -> Iterator[Mapping[str, OpenFile]]:
    """Open all files of the newest snapshot, by name; a later one may replace it then.

    Raises
    ------
    NetopsError
        If it cannot be opened.
    """
    for _ in range(_ATTEMPTS):
        with ExitStack() as stack:
            found = _all_opened(folder, stack)
            if found is not None:
                yield found
                return
    raise NetopsError(f"{folder}: the snapshot cannot be opened")


def _all_opened(folder: Path, stack: ExitStack) -> Mapping[str, OpenFile] | None:
    """Open the files of the newest snapshot; None if another one replaces it meanwhile."""
    try:
        before = _newest(folder)
        names = [path.name for path in folder.glob(_EARLIER)] + ([] if before is None else [FILE])
        found = {name: _opened(stack, folder / name) for name in names}
        return found if _newest(folder) == before else None
    except FileNotFoundError:
        return None


def _newest(folder: Path) -> int | None:
    path = folder / FILE
    return os.stat(path).st_ino if path.exists() else None


def _opened(stack: ExitStack, path: Path) -> OpenFile:
    file = stack.enter_context(path.open("rb"))
    return OpenFile(Identity.of(os.fstat(file.fileno())), file)


def texts(folder: Path) -> dict[str, str]:
    """Return the small files by name."""
    found = {}
    for pattern in _TEXTS:
        for path in folder.glob(pattern):
            with suppress(FileNotFoundError):
                found[str(path.relative_to(folder))] = path.read_text(encoding="utf-8")
    return found


def write_texts(folder: Path, found: Mapping[str, str]) -> None:
    """Write the small files."""
    for name, text in found.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise NetopsError(f"{folder}: the manifest names a file outside of it: {name[:100]}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class LetterTail:
    """The dead letters that have been written since the last ones were taken, whichever files are renamed.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inode, self._position = -1, 0

    def read(self) -> tuple[bytes, tuple[int, int]]:
        """Return the new ones, and the position after them."""
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("rb")) for path in self._files()]
            inodes = [os.fstat(file.fileno()).st_ino for file in files]
            start = inodes.index(self._inode) if self._inode in inodes else 0
            if self._inode in inodes:
                files[start].seek(self._position)
            found = [file.read() for file in files[start:]]
            if not files:
                return b"", (self._inode, self._position)
            return b"".join(found), (inodes[-1], files[-1].tell())

    def taken(self, position: tuple[int, int]) -> None:
        """Remember that everything before a position has been saved."""
        self._inode, self._position = position

    def _files(self) -> list[Path]:
        """Return the files, oldest first."""
        found = []
        for path in self._folder.glob(_LETTERS):
            age = path.name.removeprefix("dead-letters").removesuffix(".jsonl").lstrip(".")
            found.append((-int(age or 0), path))
        return [path for _, path in sorted(found)]
