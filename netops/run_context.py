"""What one command shares with all that works for it: who shows its progress, and which run it is.

MLRun calls pipelines and stages with text alone, some of them in threads of its own, so this cannot reach them as
an argument. It is the one value of the process that changes, and only within the blocks of :func:`entered`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol


class Progress(Protocol):
    """Takes what has been done so far; the command line draws it, tests and services ignore it."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Report that ``done`` of ``total`` units (samples, devices, trials) of ``what`` are done."""


def silent(done: int, total: int, what: str) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class RunContext:
    """What a command, and the run that it starts, share.

    Attributes
    ----------
    progress : Progress
        Shows how far work has come.
    lines : callable, optional
        Shows a line to users; None if there is no reader.
    shown : set of str
        Lines that are shown once.
    run_id : str, optional
        Id for the workflow that is started next.
    """

    progress: Progress = silent
    lines: Callable[[str], None] | None = None
    shown: set[str] = field(default_factory=set)
    run_id: str | None = None


_current = RunContext()


def current() -> RunContext:
    """Return the context that all threads of the process are in."""
    return _current


@contextmanager
def entered(context: RunContext) -> Iterator[None]:
    """Let all threads of the process be in a context within the block."""
    global _current
    before, _current = _current, context
    try:
        yield
    finally:
        _current = before
