"""Training processes that are started early: they import libraries while the telemetry is generated."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from netops.training.train import Workers

_workers: Workers | None = None


def workers() -> Workers | None:
    """Return the processes that have been started ahead, if any."""
    return _workers


@contextmanager
def warmed(families: Iterable[str], threads: int) -> Iterator[None]:
    """Start the processes of some families; unused ones end with the block."""
    global _workers
    with Workers(threads) as started:
        started.prewarm(families)
        _workers = started
        try:
            yield
        finally:
            _workers = None
