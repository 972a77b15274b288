"""Progress of long work, without knowing who shows it."""

from typing import Protocol


class Progress(Protocol):
    """Takes what has been done so far; the command line draws it, tests and services ignore it."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Say that ``done`` of ``total`` units (samples, devices, trials) of ``what`` are done."""


def silent(done: int, total: int, what: str) -> None:
    """Show nothing."""
