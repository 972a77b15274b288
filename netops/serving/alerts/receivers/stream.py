"""A v3io stream."""

from collections.abc import Sequence

import msgspec

from netops.errors import NetopsError
from netops.serving.alerts.receivers.protocol import AlertEvent, FailedError
from netops.telemetry.v3io.streams import Stream


class AlertStream:
    """Appends ``{"event": …, "device": …, "alert": {…}}`` to a v3io stream, by device."""

    repeat: float | None = None
    batch = 1

    def __init__(self, url: str) -> None:
        self._stream, self._made = Stream.parse(url), False

    def send(self, events: Sequence[AlertEvent]) -> None:
        """Append the event; the stream is created if missing."""
        records = [
            {"event": event, "device": alert.device, "alert": msgspec.to_builtins(alert)} for event, alert in events
        ]
        try:
            with self._stream.open() as stream:
                if not self._made:
                    stream.create()
                stream.put(records, "device")
        except NetopsError as error:
            raise FailedError(str(error)) from error
        self._made = True

    def close(self) -> None:
        """Do nothing: there is no open connection."""
