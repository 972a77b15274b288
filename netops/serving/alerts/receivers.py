"""Receivers of alerts: a webhook, Alertmanager, or a v3io stream.

Events stay in the outbox until the receiver accepts them (``deliveries``). A receiver may get an event twice if the
server is killed between sending and acknowledging it; the alert's id is the same then.
"""

import email.utils
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from netops.errors import NetopsError
from netops.http_client import BadAddressError, UnreachableError, client, post
from netops.serving.alerts.outbox import ENDED
from netops.serving.alerts.store import Alert
from netops.serving.settings import ReceiverSettings
from netops.telemetry.v3io.streams import Stream

TIMEOUT = 5.0
#: Seconds between repetitions. Alertmanager resolves an alert that is not repeated within five times this.
REPEAT = 60.0
#: Maximum pause that a receiver may request.
MAX_RETRY_AFTER = 3600.0
_RESOLVE_AFTER = timedelta(seconds=5 * REPEAT)
_TOO_MANY, _UNAVAILABLE = 429, 503
_RETRIED = (408, _TOO_MANY)
_EXCERPT = 300

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


class Webhook:
    """Posts ``{"event": "opened" | "renewed" | "ended", "alert": {…}}``, one alert per request."""

    repeat: float | None = None
    batch = 1

    def __init__(self, url: str) -> None:
        self._poster = _Poster(url)

    def send(self, events: Sequence[AlertEvent]) -> None:
        """Post the event."""
        for event, alert in events:
            self._poster.post({"event": event, "alert": alert})

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()


class Alertmanager:
    """Posts to ``<url>/api/v2/alerts``."""

    repeat: float | None = REPEAT
    batch = 100

    def __init__(self, url: str) -> None:
        self._poster = _Poster(url.rstrip("/") + "/api/v2/alerts")

    def send(self, events: Sequence[AlertEvent]) -> None:
        """Post all events at once."""
        self._poster.post([_posted(event, alert) for event, alert in events])

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()


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
        """Do nothing: no connection is kept open."""


_KINDS: dict[str, type[Webhook] | type[Alertmanager] | type[AlertStream]] = {
    "webhook": Webhook,
    "alertmanager": Alertmanager,
    "stream": AlertStream,
}
_TITLES = {"risk": "DeviceAboutToFail", "silent": "DeviceSilent", "site": "SiteAboutToFail"}


def make_receiver(settings: ReceiverSettings) -> Receiver:
    """Create a receiver from its settings."""
    return _KINDS[settings.kind](settings.url)


class _Poster:
    """Posts JSON to one address and maps the response status to errors."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = client(TIMEOUT, follow_redirects=False)

    def post(self, value: Any) -> None:
        try:
            answer = post(self._client, self._url, msgspec.json.encode(value), TIMEOUT)
        except BadAddressError as error:
            raise RefusedError(str(error)) from None
        except UnreachableError as error:
            raise FailedError(str(error)) from None
        if 200 <= answer.status < 300:
            return
        status = answer.status
        message = f"{status} {answer.text[:_EXCERPT]}".strip()
        if 300 <= status < 400:
            raise RefusedError(f"{message} (redirect to {answer.headers.get('location', '?')[:200]}, not followed)")
        if 400 <= status < 500 and status not in _RETRIED:
            raise RefusedError(message)
        wait = _retry_after(answer.headers.get("retry-after"))
        raise FailedError(message, wait, down=wait is not None or status in (_TOO_MANY, _UNAVAILABLE))

    def close(self) -> None:
        self._client.close()


def _retry_after(value: str | None) -> float | None:
    """Parse ``Retry-After``: seconds, or an HTTP date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if seconds == seconds else None


def _posted(event: str, alert: Alert) -> dict[str, Any]:
    labels = {
        "alertname": _TITLES[alert.kind],
        "network": alert.network,
        "device": alert.device,
        "company": alert.company,
        "data_center": alert.data_center,
        "alert": alert.id,
    }
    reasons = ", ".join(f"{reason.feature} {reason.contribution:+.2f}" for reason in alert.reasons)
    notes = {"peak": alert.peak, "reasons": reasons, "devices": ", ".join(alert.devices), "model": alert.model}
    # Alertmanager uses the wall clock; event time may be in the past when telemetry is replayed.
    ends = alert.ended if event == ENDED else (datetime.now(UTC) + _RESOLVE_AFTER).isoformat()
    return {
        "labels": {key: value for key, value in labels.items() if value},
        "annotations": {key: str(value) for key, value in notes.items() if value},
        "startsAt": alert.opened,
        "endsAt": ends,
    }
