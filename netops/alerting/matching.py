"""Match alerts to incidents: true and false alerts, predicted incidents and lead times."""

from dataclasses import dataclass

import numpy as np

from netops.alerting.alerts import Alerts
from netops.alerting.sequences import Flags, Incidents, Integers, Sequences
from netops.config.durations import DAY
from netops.kernels import kernel

FALSE, TRUE, NEITHER = 0, 1, 2
#: The lead time of a missed incident.
MISSED = -1


@dataclass(frozen=True)
class Matching:
    """Outcomes of alerts and incidents.

    Attributes
    ----------
    kind : int8 array, alerts
        ``TRUE`` if the alert opened in the precursor of an incident of its device or in [start − horizon, start);
        ``NEITHER`` if it opened inside an incident; otherwise ``FALSE``.
    incident : int64 array, alerts
        The first incident that a true alert predicted, otherwise -1.
    lead : int64 array, incidents
        Start − opening of the first true alert, in nanoseconds; ``MISSED`` if there was none.
    """

    kind: Integers
    incident: Integers
    lead: Integers


def match(alerts: Alerts, incidents: Incidents, horizon: int) -> Matching:
    """Match alerts to the incidents they predicted.

    Parameters
    ----------
    alerts : Alerts
        Their device indices refer to the same sequences as those of the incidents.
    incidents : Incidents
        All known incidents, so that an alert inside one does not count as false.
    horizon : int
        Nanoseconds.
    """
    warned_from = incidents.warned_from(horizon)
    return Matching(
        *_match(alerts.device, alerts.opened, incidents.offsets, incidents.start, incidents.end, warned_from)
    )


@kernel
def _match(device, opened, offsets, start, end, warned_from):  # type: ignore[no-untyped-def]
    kind = np.empty(len(opened), dtype=np.int8)
    incident = np.full(len(opened), -1, dtype=np.int64)
    lead = np.full(len(start), MISSED, dtype=np.int64)
    for alert in range(len(opened)):
        first, last = offsets[device[alert]], offsets[device[alert] + 1]
        kind[alert], incident[alert] = classify(opened[alert], start, end, warned_from, first, last, lead)
    return kind, incident, lead


@kernel
def classify(opened, start, end, warned_from, first, last, lead):  # type: ignore[no-untyped-def]
    """Classify one alert by the incidents first:last of its device; store the leads of the predicted ones."""
    coming = first + np.searchsorted(start[first:last], opened, side="right")
    for earlier in range(first, coming):
        if opened < end[earlier]:
            return NEITHER, -1
    kind, warned = FALSE, -1
    for index in range(coming, last):
        if opened >= warned_from[index]:
            lead[index] = max(lead[index], start[index] - opened)
            if kind == FALSE:
                kind, warned = TRUE, index
    return kind, warned


def healthy_days(sequences: Sequences, failed: Flags, max_gap: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the device-days of each row; one device-day is 24 h of observed healthy time of one device.

    The time between two samples counts if the device is healthy at both and the gap is at most ``max_gap``.

    Parameters
    ----------
    sequences : Sequences
        Rows sorted by device and time.
    failed : bool array, rows
        Whether the row is inside an incident.
    max_gap : int
        Nanoseconds; the horizon, as for labels.

    Returns
    -------
    float64 array, rows
        Days since the previous row, 0 for the first row of a device.
    """
    gaps = np.diff(sequences.timestamps, prepend=sequences.timestamps[:1])
    counts = ~failed & ~np.roll(failed, 1) & (gaps <= max_gap)
    firsts = sequences.offsets[:-1][np.diff(sequences.offsets) > 0]
    counts[firsts] = False
    return np.where(counts, gaps / DAY, 0.0)
