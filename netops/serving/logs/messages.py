"""A message of a device as it arrives, and what becomes of it."""

from dataclasses import dataclass, field
from typing import NamedTuple

COUNTED, DUPLICATE, LATE, AHEAD, UNKNOWN, FULL, UNREADABLE = range(7)
#: Names of the statuses, as in answers and metrics.
STATUSES = ("counted", "duplicate", "late", "ahead", "unknown_device", "over_limit", "unreadable")
#: Errors that an answer lists.
_LISTED = 10


class Message(NamedTuple):
    """A message.

    Attributes
    ----------
    time : int
        Nanoseconds since the epoch, UTC.
    host : str
        Name of the device as the sender knows it.
    severity : int
        0 (emergency) to 7 (debug), -1 if unknown.
    text : str
        Of an event its kind.
    """

    time: int
    host: str
    severity: int
    text: str


@dataclass
class Counts:
    """How many messages have each status, and the first errors.

    Attributes
    ----------
    by_status : list of int
        In the order of ``STATUSES``.
    errors : list of str
        Why messages are unreadable, the first few.
    """

    by_status: list[int] = field(default_factory=lambda: [0] * len(STATUSES))
    errors: list[str] = field(default_factory=list)

    def add(self, status: int, number: int = 1) -> None:
        """Count messages."""
        self.by_status[status] += number

    def fail(self, reason: str) -> None:
        """Count an unreadable message."""
        self.add(UNREADABLE)
        if len(self.errors) < _LISTED:
            self.errors.append(reason)

    def __iadd__(self, other: "Counts") -> "Counts":
        self.by_status = [a + b for a, b in zip(self.by_status, other.by_status, strict=True)]
        self.errors = [*self.errors, *other.errors][:_LISTED]
        return self
