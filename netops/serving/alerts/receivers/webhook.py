"""A webhook: alerts are posted as JSON."""

from collections.abc import Sequence

from netops.serving.alerts.receivers.posting import Poster
from netops.serving.alerts.receivers.protocol import AlertEvent


class Webhook:
    """Posts ``{"event": "opened" | "renewed" | "ended", "alert": {…}}``, one alert per request."""

    repeat: float | None = None
    batch = 1

    def __init__(self, url: str) -> None:
        self._poster = Poster(url)

    def send(self, events: Sequence[AlertEvent]) -> None:
        """Post the event."""
        for event, alert in events:
            self._poster.post({"event": event, "alert": alert})

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()
