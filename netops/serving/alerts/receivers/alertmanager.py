"""Prometheus' Alertmanager."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from netops.serving.alerts.outbox import ENDED
from netops.serving.alerts.receivers.posting import Poster
from netops.serving.alerts.receivers.protocol import AlertEvent
from netops.serving.alerts.store import Alert

#: Seconds between repetitions. Alertmanager resolves an alert that is not repeated within five times this.
REPEAT = 60.0
_RESOLVE_AFTER = timedelta(seconds=5 * REPEAT)
_TITLES = {"risk": "DeviceAboutToFail", "silent": "DeviceSilent", "site": "SiteAboutToFail"}


class Alertmanager:
    """Posts to ``<url>/api/v2/alerts``."""

    repeat: float | None = REPEAT
    batch = 100

    def __init__(self, url: str) -> None:
        self._poster = Poster(url.rstrip("/") + "/api/v2/alerts")

    def send(self, events: Sequence[AlertEvent]) -> None:
        """Post all events at once."""
        self._poster.post([_posted(event, alert) for event, alert in events])

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()


def _posted(event: str, alert: Alert) -> dict[str, object]:
    labels = {
        "alertname": _TITLES[alert.kind],
        "network": alert.network,
        "device": alert.device,
        "company": alert.company,
        "data_center": alert.data_center,
        "alert": alert.id,
    }
    reasons = "; ".join(f"{reason.text or reason.feature} ({reason.contribution:+.2f})" for reason in alert.reasons)
    notes = {"peak": alert.peak, "reasons": reasons, "devices": ", ".join(alert.devices), "model": alert.model}
    # Alertmanager uses the wall clock; event time may be in the past when telemetry is replayed.
    ends = alert.ended if event == ENDED else (datetime.now(UTC) + _RESOLVE_AFTER).isoformat()
    return {
        "labels": {key: value for key, value in labels.items() if value},
        "annotations": {key: str(value) for key, value in notes.items() if value},
        "startsAt": alert.opened,
        "endsAt": ends,
    }
