"""The last messages of each device, for people who look at it: in memory, off by default, secrets masked."""

from collections import deque
from typing import NamedTuple

from netops.logs.secrets import start_without_secrets

#: Characters of a message that are kept.
_LONGEST = 500


class Line(NamedTuple):
    """A message that was kept.

    Attributes
    ----------
    time : int
        Nanoseconds.
    severity : int
    template : str
        Empty if it has none.
    text : str
        Its first characters, secrets masked.
    """

    time: int
    severity: int
    template: str
    text: str


class RecentLines:
    """The last messages of each device.

    Parameters
    ----------
    kept : int
        Messages per device; 0: none.
    """

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self._lines: dict[int, deque[Line]] = {}

    def add(self, code: int, time: int, severity: int, template: str, text: str) -> None:
        """Keep a message of a device; the oldest one goes if there are too many."""
        if not self.kept:
            return
        lines = self._lines.get(code)
        if lines is None:
            lines = self._lines[code] = deque(maxlen=self.kept)
        lines.append(Line(time, severity, template, start_without_secrets(text, _LONGEST)))

    def of(self, code: int) -> list[Line]:
        """Return the messages of a device, newest first."""
        return sorted(self._lines.get(code, ()), key=lambda line: line.time, reverse=True)

    def forget(self, code: int) -> None:
        """Remove the messages of a device."""
        self._lines.pop(code, None)
