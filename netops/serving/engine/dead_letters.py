"""Samples that were not taken, kept for a human or a later repair: JSON lines, rotated and bounded."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

#: Longest body or sample kept whole; of a larger one the beginning is kept.
LONGEST = 16_384


class DeadLetters:
    """Appends to ``dead-letters.jsonl``; full files become ``dead-letters.1.jsonl`` and so on, the oldest goes.

    Parameters
    ----------
    folder : Path
        Where the files lie.
    size : int
        Bytes at which a file is full.
    files : int
        Files kept, the current one included.
    """

    def __init__(self, folder: Path, size: int, files: int) -> None:
        self.folder, self.size, self.files = folder, size, files
        self.lost = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._open()

    def write(self, letters: Iterable[dict[str, Any]]) -> None:
        """Append letters; on a full disk they are counted in ``lost`` instead, and service goes on."""
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
        """Name the current file (0) or an older one."""
        return self.folder / (f"dead-letters.{age}.jsonl" if age else "dead-letters.jsonl")

    def _open(self) -> None:
        # Unbuffered: one write a request, and nothing of it is lost when the process is killed.
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


def letter(why: str, error: str | None, raw: Any, **known: Any) -> dict[str, Any]:
    """Make a letter: why it was not taken, and what was sent."""
    return {"why": why, "error": error, **known, "sent": _clip(raw)}


def _clip(raw: Any) -> Any:
    if isinstance(raw, (bytes, bytearray, memoryview, msgspec.Raw)):
        data = bytes(raw)[:LONGEST]
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(data).decode()}
    if isinstance(raw, str):
        return raw[:LONGEST].encode("utf-8", "replace").decode()
    return raw if len(repr(raw)) <= LONGEST else repr(raw)[:LONGEST]


def _line(letter: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(letter, enc_hook=str) + b"\n"
    except UnicodeEncodeError:  # a lone surrogate somewhere in what was sent
        return json.dumps(letter, default=str).encode() + b"\n"
