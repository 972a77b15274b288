"""Findings per incident (predicted or missed, and why) and per false alarm, with their reasons."""

from dataclasses import dataclass, replace

import numpy as np

from netops.alerting.matching import FALSE, MISSED, TRUE
from netops.alerting.sequences import Flags, Integers
from netops.backtest.history import History
from netops.config.durations import SECOND
from netops.evaluation.report.matched_alerts import MatchedAlerts
from netops.evaluation.report.notes import false_alarm_note, why_missed
from netops.evaluation.report.words import lasting
from netops.serving.alerts.store import Alert
from netops.serving.decode.times import iso, nanoseconds
from netops.serving.engine.samples import Reason

WARNED, MISS, UNOBSERVED = "warned", "missed", "unobserved"


@dataclass(frozen=True)
class Incident:
    """An incident, and whether it was predicted.

    Attributes
    ----------
    device, scenario : str
    start, end : str
        ISO 8601.
    trained : bool
        Whether the model was trained on the time before it; if so, it is not counted.
    outcome : str
        ``warned`` (predicted), ``missed``, or ``unobserved`` (no healthy sample in the horizon before it).
    opened, lead_seconds, peak : str, float, float
        Of the alert that predicted it; None without one.
    reasons : tuple of Reason
        Reasons of the sample that opened the alert.
    note : str
        Why it was missed, or another remark.
    """

    device: str
    scenario: str
    start: str
    end: str
    trained: bool
    outcome: str
    opened: str | None = None
    lead_seconds: float | None = None
    peak: float | None = None
    reasons: tuple[Reason, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class FalseAlarm:
    """An alert without a following incident."""

    device: str
    opened: str
    closed: str
    peak: float
    trained: bool
    reasons: tuple[Reason, ...] = ()
    note: str = ""


class ServedAlerts:
    """The risk alerts that the server opened, by device. The server does not know the incidents."""

    def __init__(self, alerts: list[Alert], devices: tuple[str, ...]) -> None:
        indices = {name: index for index, name in enumerate(devices)}
        self._of: dict[int, list[tuple[int, int, Alert]]] = {}
        for alert in alerts:
            if alert.kind == "risk" and alert.device is not None:
                end = nanoseconds(alert.ended) if alert.ended else np.iinfo(np.int64).max
                times = [nanoseconds(moment) for moment in (alert.opened, *alert.renewed)]
                spans = zip(times, [*times[1:], int(end)], strict=True)
                self._of.setdefault(indices[alert.device], []).extend((*span, alert) for span in spans)

    def opened_within(self, device: int, low: int, high: int) -> int | None:
        """Return the first opening in [low, high), or None."""
        return next((opened for opened, _, _ in self._of.get(device, ()) if low <= opened < high), None)

    def note(self, device: int, opened: int) -> str:
        """Return a remark if the server did not open or not send an alert that opened at a time, otherwise ""."""
        for begun, ended, alert in self._of.get(device, ()):
            if begun < opened < ended:
                return f"In service no new alert opened: the alert of {_clock(begun)} was still open."
            if begun == opened and alert.silenced:
                return "Silenced: not sent."
            if begun == opened and alert.rolled_up:
                return "Sent as part of a site alert."
        return ""


@dataclass(frozen=True)
class Findings:
    """Incidents and false alarms of some rows, and the rows that opened their alerts."""

    incidents: dict[int, Incident]
    false_alarms: list[FalseAlarm]
    rows_of_incidents: dict[int, int]
    rows_of_alarms: list[int]

    def with_reasons(self, reasons: dict[int, list[Reason]]) -> "Findings":
        """Return the findings with the reasons of each row."""
        incidents = {
            index: replace(found, reasons=tuple(reasons[self.rows_of_incidents[index]]))
            if index in self.rows_of_incidents
            else found
            for index, found in self.incidents.items()
        }
        alarms = [
            replace(alarm, reasons=tuple(reasons[row]))
            for alarm, row in zip(self.false_alarms, self.rows_of_alarms, strict=True)
        ]
        return replace(self, incidents=incidents, false_alarms=alarms)

    @property
    def rows(self) -> Integers:
        """The rows that opened alerts."""
        return np.unique([*self.rows_of_incidents.values(), *self.rows_of_alarms]).astype(np.int64)


def find(history: History, matched: MatchedAlerts, served: ServedAlerts, trained: bool) -> Findings:
    """Return the findings for each incident that the rows could predict, and for each false alarm."""
    first = _first_warnings(matched)
    incidents, rows = {}, {}
    for index in np.flatnonzero(matched.split.observed).tolist():
        incidents[index] = _incident(history, matched, served, index, first.get(index), trained)
        if index in first:
            device, opened = int(matched.split.incidents.device[index]), int(matched.alerts.opened[first[index]])
            rows[index] = history.row_at(device, opened)
    false = np.flatnonzero(matched.matching.kind == FALSE).tolist()
    alarms = [_false_alarm(matched, served, alert, trained) for alert in false]
    opened_at = [history.row_at(int(matched.alerts.device[a]), int(matched.alerts.opened[a])) for a in false]
    return Findings(incidents, alarms, rows, opened_at)


def unobserved(history: History, indices: list[int], trained: Flags) -> list[Incident]:
    """Return the incidents that could not be predicted."""
    before = f"No healthy sample in the {lasting(history.horizon / SECOND)} before it."
    return [replace(_plain(history, index, bool(trained[index])), note=before) for index in indices]


def _first_warnings(matched: MatchedAlerts) -> dict[int, int]:
    """Return incident → its first true alert, which defines the lead time."""
    found, lead, start = {}, matched.matching.lead, matched.split.incidents.start
    by_opening = {
        (int(device), int(opened)): index
        for index, (device, opened) in enumerate(zip(matched.alerts.device, matched.alerts.opened, strict=True))
        if matched.matching.kind[index] == TRUE
    }
    for index in np.flatnonzero(lead != MISSED).tolist():
        opened = int(start[index] - lead[index])
        found[index] = by_opening[int(matched.split.incidents.device[index]), opened]
    return found


def _plain(history: History, index: int, trained: bool) -> Incident:
    incidents = history.incidents
    return Incident(
        history.sequences.devices[incidents.device[index]],
        incidents.scenario[index],
        iso(int(incidents.start[index])),
        iso(int(incidents.end[index])),
        trained,
        UNOBSERVED,
    )


def _incident(
    history: History, matched: MatchedAlerts, served: ServedAlerts, index: int, alert: int | None, trained: bool
) -> Incident:
    plain, device = _plain(history, index, trained), int(history.incidents.device[index])
    start, end = int(history.incidents.start[index]), int(history.incidents.end[index])
    if alert is None:
        late = served.opened_within(device, start, end)
        after = f" The alert opened {lasting((late - start) / SECOND)} after its start." if late is not None else ""
        return replace(plain, outcome=MISS, note=why_missed(index, matched) + after)
    opened = int(matched.alerts.opened[alert])
    return replace(
        plain,
        outcome=WARNED,
        opened=iso(opened),
        lead_seconds=(start - opened) / SECOND,
        peak=float(matched.alerts.peak[alert]),
        note=served.note(device, opened),
    )


def _false_alarm(matched: MatchedAlerts, served: ServedAlerts, index: int, trained: bool) -> FalseAlarm:
    alerts = matched.alerts
    device, opened = int(alerts.device[index]), int(alerts.opened[index])
    note = f"{false_alarm_note(index, matched)} {served.note(device, opened)}".rstrip()
    return FalseAlarm(
        matched.split.sequences.devices[device],
        iso(opened),
        iso(int(alerts.closed[index])),
        float(alerts.peak[index]),
        trained,
        note=note,
    )


def _clock(time: int) -> str:
    return iso(time).replace("T", " ").replace("Z", " UTC")


def plain_reasons(reasons: tuple[Reason, ...]) -> list[dict[str, object]]:
    """Return reasons as plain values for JSON."""
    return [
        {"feature": reason.feature, "contribution": reason.contribution, "text": reason.text} for reason in reasons
    ]
