"""Assess a server's alerts against known incidents."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from netops.alerting.alerts import Alerts
from netops.alerting.matching import FALSE, MISSED, TRUE, match
from netops.alerting.sequences import Incidents
from netops.config.durations import SECOND
from netops.serving.alerts.store import Alert
from netops.serving.decode.times import nanoseconds


@dataclass(frozen=True)
class Outcome:
    """Counts of incidents and alerts, and the lead time.

    Attributes
    ----------
    incidents, warned : int
        Incidents in the replayed time, and those with a true alert before them.
    true_alerts, false_alarms : int
        Alerts that predicted an incident, and those that did not.
    median_lead_seconds : float or None
        Median lead time of the predicted incidents.
    """

    incidents: int
    warned: int
    true_alerts: int
    false_alarms: int
    median_lead_seconds: float | None

    def to_dict(self) -> dict[str, object]:
        """Return the outcome as plain values."""
        return asdict(self)


def assess(
    alerts: Sequence[Alert], incidents: Incidents, devices: Sequence[str], horizon: int, first: int, last: int
) -> Outcome:
    """Match alerts to incidents; each renewal counts as an opening, as in every evaluation.

    Parameters
    ----------
    alerts : sequence of Alert
        As returned by ``GET /alerts``.
    incidents : Incidents
        Known incidents; their devices are indices into ``devices``.
    horizon, first, last : int
        The model's horizon, and the replayed time range, in nanoseconds.
    """
    indices = {name: index for index, name in enumerate(devices)}
    openings = (
        (indices[alert.device], nanoseconds(moment))
        for alert in alerts
        if alert.kind == "risk" and alert.device in indices
        for moment in (alert.opened, *alert.renewed)
    )
    return outcome([(index, at) for index, at in openings if first <= at <= last], incidents, horizon)


def outcome(rows: list[tuple[int, int]], incidents: Incidents, horizon: int) -> Outcome:
    """Match alerts, given as device index and opening (ns), to incidents.

    Parameters
    ----------
    rows : list of (int, int)
        In any order.
    incidents : Incidents
    horizon : int
        Nanoseconds.
    """
    matching = match(_alerts(sorted(rows)), incidents, horizon)
    leads = matching.lead[matching.lead != MISSED]
    return Outcome(
        incidents=len(incidents),
        warned=len(leads),
        true_alerts=int((matching.kind == TRUE).sum()),
        false_alarms=int((matching.kind == FALSE).sum()),
        median_lead_seconds=float(np.median(leads)) / SECOND if len(leads) else None,
    )


def _alerts(rows: list[tuple[int, int]]) -> Alerts:
    device = np.array([row[0] for row in rows], dtype=np.int64)
    opened = np.array([row[1] for row in rows], dtype=np.int64)
    unknown = np.full(len(rows), np.nan)
    return Alerts(device, opened, opened, unknown, opened, np.zeros(len(rows), dtype=bool))
