"""Receivers of alerts: a webhook, Alertmanager, or a v3io stream.

What has to be told lies in the alert store until the receiver has taken it; a thread of its own tells it, again
and again with growing pauses. A receiver that is down, or a server that is killed, loses nothing. A receiver may
hear of an alert twice when the server dies between telling and noting that it told; its id is the same then.
"""

import logging
import sqlite3
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import msgspec

from netops.errors import NetopsError
from netops.serving.alert_store import ENDED, Alert, AlertStore
from netops.serving.metrics import ServingMetrics
from netops.serving.settings import ReceiverSettings
from netops.telemetry.stream_service import Stream

_LOG = logging.getLogger(__name__)

TIMEOUT = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
#: Alertmanager takes an alert for resolved when it is not told of it again within this time.
REPEAT = 60.0
_KEPT_OPEN = timedelta(seconds=5 * REPEAT)


class Receiver(Protocol):
    """Takes alerts."""

    @property
    def repeat(self) -> float | None:
        """Seconds after which open alerts are told again; None: never."""

    def tell(self, events: Sequence[tuple[str, Alert]]) -> None:
        """Tell events, the oldest first.

        Raises
        ------
        OSError
            If the receiver did not take them.
        """


class Webhook:
    """Posts ``{"event": "opened" | "ended", "alert": {…}}``, one alert a request."""

    repeat: float | None = None

    def __init__(self, url: str) -> None:
        self.url = url

    def tell(self, events: Sequence[tuple[str, Alert]]) -> None:
        """Post the events one by one."""
        for event, alert in events:
            _post(self.url, {"event": event, "alert": alert})


class Alertmanager:
    """Posts to ``<url>/api/v2/alerts``."""

    repeat: float | None = REPEAT

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/api/v2/alerts"

    def tell(self, events: Sequence[tuple[str, Alert]]) -> None:
        """Post all events at once."""
        _post(self.url, [_posted(event, alert) for event, alert in events])


class AlertStream:
    """Appends ``{"event": "opened" | "ended", "device": …, "alert": {…}}`` to a v3io stream, by device."""

    repeat: float | None = None

    def __init__(self, url: str) -> None:
        self._stream, self._made = Stream.parse(url), False

    def tell(self, events: Sequence[tuple[str, Alert]]) -> None:
        """Append the events in their order; the stream is made where there is none."""
        records = [
            {"event": event, "device": alert.device, "alert": msgspec.to_builtins(alert)} for event, alert in events
        ]
        try:
            with self._stream.open() as stream:
                if not self._made:
                    stream.create()
                stream.put(records, "device")
        except NetopsError as error:
            raise OSError(str(error)) from error
        self._made = True


_KINDS: dict[str, type[Webhook] | type[Alertmanager] | type[AlertStream]] = {
    "webhook": Webhook,
    "alertmanager": Alertmanager,
    "stream": AlertStream,
}
_TITLES = {"risk": "DeviceAboutToFail", "silent": "DeviceSilent", "site": "SiteAboutToFail"}


class Deliveries:
    """Tells the receivers what they have to be told, in a thread of its own.

    Parameters
    ----------
    path : Path
        The alert store.
    receivers : sequence of ReceiverSettings
        Whom to tell.
    """

    def __init__(self, path: Path, receivers: Sequence[ReceiverSettings], metrics: ServingMetrics) -> None:
        self._path, self._metrics = path, metrics
        self._receivers: dict[str, Receiver] = {f"{r.kind} {r.url}": _KINDS[r.kind](r.url) for r in receivers}
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(name, receiver), daemon=True, name=f"deliveries to {name}")
            for name, receiver in self._receivers.items()
        ]

    @property
    def names(self) -> list[str]:
        """Names of the receivers, as the store knows them."""
        return list(self._receivers)

    def start(self) -> None:
        """Begin to tell; one thread a receiver, so that none waits for another."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; what is not told yet is told after the next start."""
        self._stopped.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(TIMEOUT + 1)

    def _run(self, name: str, receiver: Receiver) -> None:
        store = AlertStore(self._path)
        pause, repeated = FIRST_PAUSE, monotonic()
        while not self._stopped.wait(pause):
            due: list[tuple[str, Alert]] = []
            try:
                due = store.due(name)
                if receiver.repeat and monotonic() - repeated >= receiver.repeat:
                    repeated = monotonic()
                    due += [("opened", alert) for alert in store.recent(open_only=True) if not alert.silenced]
                if due:
                    receiver.tell(due)
                    store.told(name, due)
                    self._count(name, "told", len(due))
                pause = FIRST_PAUSE
            except (OSError, sqlite3.Error, ValueError) as error:
                self._count(name, "failed", len(due))
                _LOG.warning("%s did not take %d alerts and is told again: %s", name, len(due), error)
                pause = min(2 * pause, LONGEST_PAUSE)
        store.close()

    def _count(self, name: str, result: str, number: int) -> None:
        self._metrics.deliveries.labels(self._metrics.network, name.partition(" ")[0], result).inc(number)


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
    # Alertmanager measures by the wall clock; event time may lie in the past when telemetry is played again.
    ends = alert.ended if event == ENDED else (datetime.now(UTC) + _KEPT_OPEN).isoformat()
    return {
        "labels": {key: value for key, value in labels.items() if value},
        "annotations": {key: str(value) for key, value in notes.items() if value},
        "startsAt": alert.opened,
        "endsAt": ends,
    }


def _post(url: str, value: Any) -> None:
    request = urllib.request.Request(
        url, data=msgspec.json.encode(value), headers={"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        answer.read()
