"""The dead-letter file: samples that were not accepted, as JSON lines, rotated and bounded."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import msgspec

#: Maximum length of a stored body or sample; longer ones are truncated.
MAX_LENGTH = 16_384
#: A sample that was not accepted, and why.
Letter: TypeAlias = dict[str, object]


class DeadLetters:
    """Appends to ``dead-letters.jsonl``; full files become ``dead-letters.1.jsonl`` and so on.

    Parameters
    ----------
    folder : Path
        The folder of the files.
    size : int
        Maximum size of a file in bytes.
    files : int
        Number of files, including the current one.
    """

    def __init__(self, folder: Path, size: int, files: int) -> None:
        self.folder, self.size, self.files = folder, size, files
        self.lost = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._open()

    def write(self, letters: Iterable[Letter]) -> None:
        """Append letters; if the disk is full, they are counted in ``lost`` and serving continues."""
        lines = b"".join(_line(letter) for letter in letters)
        if not lines:
            return
        try:
            if self._written and self._written + len(lines) > self.size:
                self._rotate()
            self._file.write(lines)
            self._written += len(lines)
        except OSError:
            self.lost += lines.count(b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def path(self, age: int = 0) -> Path:
        """Return the path of the current file (0) or an older one."""
        return self.folder / (f"dead-letters.{age}.jsonl" if age else "dead-letters.jsonl")

    def _open(self) -> None:
        # Unbuffered: one write per request, and nothing is lost if the process is killed.
        self._file = self.path().open("ab", buffering=0)
        self._written = self.path().stat().st_size

    def _rotate(self) -> None:
        self._file.close()
        for age in range(self.files - 1, 0, -1):
            if self.path(age - 1).exists():
                self.path(age - 1).replace(self.path(age))
        if self.files == 1:
            self.path().unlink(missing_ok=True)
        self._open()


def letter(why: str, error: str | None, raw: object) -> Letter:
    """Return a dead letter: why the sample was not accepted, and what was sent."""
    return {"why": why, "error": error, "sent": _clip(raw)}


def _clip(raw: object) -> object:
    if isinstance(raw, (bytes, bytearray, memoryview, msgspec.Raw)):
        data = bytes(raw)[:MAX_LENGTH]
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(data).decode()}
    if isinstance(raw, str):
        return raw[:MAX_LENGTH].encode("utf-8", "replace").decode()
    return raw if len(repr(raw)) <= MAX_LENGTH else repr(raw)[:MAX_LENGTH]


def _line(letter: Letter) -> bytes:
    try:
        return msgspec.json.encode(letter, enc_hook=str) + b"\n"
    except UnicodeEncodeError:  # a lone surrogate in the input
        return json.dumps(letter, default=str).encode() + b"\n"
