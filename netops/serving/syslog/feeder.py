"""Hands lines from their sources to the intake, a slice per turn of the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

#: Maximum lines per turn: samples that arrive meanwhile wait for one slice at most, some 0.2 ms.
SLICE = 25
#: Seconds from the first line to its slice: many senders with few lines each share one.
_DELAY = 0.01

#: A line and the address of its sender.
Line: TypeAlias = tuple[str, str]
#: Receives lines and the addresses of their senders.
AddLines: TypeAlias = Callable[[Sequence[str], Sequence[str]], object]


class Source(Protocol):
    """What lines are taken from."""

    def take(self, limit: int) -> tuple[list[Line], bool]:
        """Return the next lines, at most ``limit``, and whether there are more."""


class Feeder:
    """Takes lines from all sources in turn.

    Parameters
    ----------
    add_lines : callable
        The intake.

    Attributes
    ----------
    lines : int
        Lines that were handed over.
    """

    def __init__(self, add_lines: AddLines) -> None:
        self.lines = 0
        self._add_lines = add_lines
        self._waiting: deque[Source] = deque()
        self._queued: set[Source] = set()
        self._is_scheduled = False

    @property
    def is_idle(self) -> bool:
        """Whether no source has lines."""
        return not self._waiting

    def schedule(self, source: Source) -> None:
        """Take the lines of a source soon."""
        if source in self._queued:
            return
        self._queued.add(source)
        self._waiting.append(source)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_later(_DELAY, self._turn)

    def _turn(self) -> None:
        lines = self._next()
        # Also if the intake fails: the other lines are processed, and the event loop logs the error.
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._is_scheduled = False
        if lines:
            self.lines += len(lines)
            self._add_lines([line for line, _ in lines], [peer for _, peer in lines])

    def _next(self) -> list[Line]:
        lines: list[Line] = []
        while self._waiting and len(lines) < SLICE:
            source = self._waiting.popleft()
            found, has_more = source.take(SLICE - len(lines))
            lines += found
            if has_more:
                self._waiting.append(source)
                break
            self._queued.discard(source)
        return lines
