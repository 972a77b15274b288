"""Progress of long work, without knowing who shows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Takes what has been done so far; the command line draws it, tests and services ignore it."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Say that ``done`` of ``total`` units (samples, devices, trials) of ``what`` are done."""


def silent(done: int, total: int, what: str) -> None:
    """Show nothing."""


_current: Progress = silent


def report(done: int, total: int, what: str) -> None:
    """Pass progress on to whoever shows it at the moment."""
    _current(done, total, what)


@contextmanager
def shown_by(progress: Progress) -> Iterator[None]:
    """Let :func:`report` reach ``progress`` within the block, from every thread of the process."""
    global _current
    before, _current = _current, progress
    try:
        yield
    finally:
        _current = before
