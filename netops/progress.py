"""Progress of long work, without knowing who shows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from netops.run_context import Progress as Progress
from netops.run_context import current, entered
from netops.run_context import silent as silent


def report(done: int, total: int, what: str) -> None:
    """Pass progress to the current reporter."""
    current().progress(done, total, what)


def say(text: str) -> None:
    """Pass a line for users to the current reporter."""
    if (lines := current().lines) is not None:
        lines(text)


def say_once(text: str) -> None:
    """Pass a line like :func:`say`, unless it was shown before in the same block."""
    context = current()
    if context.lines is not None and text not in context.shown:
        context.shown.add(text)
        context.lines(text)


@contextmanager
def shown_by(progress: Progress, lines: Callable[[str], None]) -> Iterator[None]:
    """Let :func:`report` and :func:`say` reach these within the block, from every thread of the process."""
    with entered(replace(current(), progress=progress, lines=lines, shown=set())):
        yield
