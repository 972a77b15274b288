"""What a receiver of alerts must provide.

Events stay in the outbox until the receiver accepts them (``deliveries``). A receiver may get an event twice if the
server is killed between sending and acknowledging it; the alert's id is the same then.
"""

from collections.abc import Sequence
from typing import Protocol

from netops.errors import NetopsError
from netops.serving.alerts.store import Alert

#: Timeout of a connection to a receiver, in seconds.
TIMEOUT = 5.0

AlertEvent = tuple[str, Alert]


class RefusedError(NetopsError):
    """The receiver rejected an event; a retry would not help."""


class FailedError(NetopsError):
    """The receiver did not accept an event; a retry may succeed.

    Attributes
    ----------
    retry_after : float or None
        Seconds until the retry, requested by the receiver.
    down : bool
        Whether other events would also fail.
    """

    def __init__(self, message: str, retry_after: float | None = None, down: bool = True) -> None:
        super().__init__(message)
        self.retry_after, self.down = retry_after, down


class Receiver(Protocol):
    """Receives alert events."""

    @property
    def repeat(self) -> float | None:
        """Seconds after which open alerts are sent again; None: never."""

    @property
    def batch(self) -> int:
        """Maximum events per request; they are accepted all together or not at all."""

    def send(self, events: Sequence[AlertEvent]) -> None:
        """Send events, oldest first.

        Raises
        ------
        RefusedError, FailedError
            If the receiver did not accept them.
        """

    def close(self) -> None:
        """Close the connections."""
