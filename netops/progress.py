"""Progress of long work, without knowing who shows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Takes what has been done so far; the command line draws it, tests and services ignore it."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Report that ``done`` of ``total`` units (samples, devices, trials) of ``what`` are done."""


def silent(done: int, total: int, what: str) -> None:
    """Show nothing."""


def unheard(text: str) -> None:
    """Do nothing."""


_report: Progress = silent
_say: Callable[[str], None] = unheard
_shown: set[str] = set()


def report(done: int, total: int, what: str) -> None:
    """Pass progress to the current reporter."""
    _report(done, total, what)


def say(text: str) -> None:
    """Pass a line for users to the current reporter."""
    _say(text)


def say_once(text: str) -> None:
    """Pass a line like :func:`say`, unless it was shown before in the same block."""
    if _say is not unheard and text not in _shown:
        _shown.add(text)
        _say(text)


@contextmanager
def shown_by(progress: Progress, lines: Callable[[str], None]) -> Iterator[None]:
    """Let :func:`report` and :func:`say` reach these within the block, from every thread of the process."""
    global _report, _say
    before, (_report, _say) = (_report, _say), (progress, lines)
    _shown.clear()
    try:
        yield
    finally:
        _report, _say = before
