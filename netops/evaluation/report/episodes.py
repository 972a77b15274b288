"""Notable episodes of the test split: predicted incidents, missed incidents and false alarms.

Which ones is a rule, not a taste, so that a report cannot flatter the model: of many, the two ends and the middle.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from netops.alerting.matching import FALSE, MISSED
from netops.alerting.sequences import Floats, Integers, Sequences
from netops.evaluation.report.log_marks import LogLane, log_lanes
from netops.evaluation.report.matched_alerts import MatchedAlerts
from netops.evaluation.report.notes import false_alarm_note, incident_note
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples
from netops.training.rows import gather

WARNED, MISS, FALSE_ALARM = "warned", "missed", "false_alarm"
#: How many of each kind are shown.
SHOWN = 3
#: Maximum horizons before its incident that a warning is drawn.
_FARTHEST = 12

Spans = list[tuple[int, int]]
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Episode:
    """One moment, with the telemetry around it. Times are nanoseconds since the epoch.

    Attributes
    ----------
    kind : str
        ``warned``, ``missed`` or ``false_alarm``.
    device : str
    at : int
        Start of the incident, or opening of the false alarm.
    low, high : int
        What is shown.
    note : str
        What happened, in sentences.
    rows : int64 array, n
        Of the features dataset.
    location : dict
        Attributes of the device.
    scenario : str
        Empty if unknown.
    warned_from : int or None
        Time from which an alert counts as a warning; None for a false alarm.
    incidents, precursors, alerts, baseline_alerts : list of (start, end)
        Within what is shown; the last are alerts of the static thresholds.
    times : int64 array, n
    metrics : dict
        Metric → float64 array, n.
    risks : float64 array, n
        NaN where a sample was not scored.
    logs : list of LogLane
        Messages of the device; empty without logs.
    """

    kind: str
    device: str
    at: int
    low: int
    high: int
    note: str
    rows: Integers
    location: dict[str, str]
    scenario: str = ""
    warned_from: int | None = None
    incidents: Spans = field(default_factory=list)
    precursors: Spans = field(default_factory=list)
    alerts: Spans = field(default_factory=list)
    baseline_alerts: Spans = field(default_factory=list)
    times: Integers = field(default_factory=lambda: np.zeros(0, np.int64))
    metrics: dict[str, Floats] = field(default_factory=dict)
    risks: Floats = field(default_factory=lambda: np.zeros(0))
    logs: list[LogLane] = field(default_factory=list)


def choose_episodes(examples: Examples, model: MatchedAlerts, baseline: MatchedAlerts | None) -> list[Episode]:
    """Choose what to show; the metrics are read by :func:`with_metrics`.

    Parameters
    ----------
    examples : Examples
    model : MatchedAlerts
        Of the best model.
    baseline : MatchedAlerts, optional
        Of the static thresholds, to compare with.

    Returns
    -------
    list of Episode
        At most three of each kind: the earliest, the middle and the latest warning; of the missed incidents those
        with the highest, the middle and the lowest risk before them; of the false alarms likewise.
    """
    scored = np.array(examples.array("test"))
    known = np.where(scored < 0, ~scored, scored)
    times = examples.labelled[-1].sequences.timestamps
    return [
        replace(episode, times=times[episode.rows], risks=_risks_at(episode.rows, known, model.risks))
        for episode in episodes_among(examples.labelled[-1].sequences, model, baseline)
    ]


def episodes_among(
    everything: Sequences, model: MatchedAlerts, baseline: MatchedAlerts | None = None
) -> list[Episode]:
    """Choose what to show by the same rule, without telemetry and risks; ``everything`` is around it, too."""
    return _Choosing(everything, model, baseline).all()


def extremes(order: Integers, most: int = SHOWN) -> list[int]:
    """Take the first, the middle and the last of an order."""
    if len(order) <= most:
        return [int(index) for index in order]
    return [int(order[index]) for index in np.linspace(0, len(order) - 1, most).round().astype(np.int64)]


class _Choosing:
    """The choice of episodes from one test split."""

    def __init__(self, everything: Sequences, model: MatchedAlerts, baseline: MatchedAlerts | None) -> None:
        self.split, self.model, self.baseline, self.everything = model.split, model, baseline, everything

    def all(self) -> list[Episode]:
        lead = self.model.matching.lead
        warned = np.flatnonzero(self.split.observed & (lead != MISSED))
        missed = np.flatnonzero(self.split.observed & (lead == MISSED))
        false = np.flatnonzero(self.model.matching.kind == FALSE)
        near = np.array([self.model.highest_risk(int(index)) for index in missed])
        return [
            *(
                self._incident(WARNED, index)
                for index in extremes(warned[np.argsort(-lead[warned], kind="stable")])
            ),
            *(self._incident(MISS, index) for index in extremes(missed[np.argsort(-near, kind="stable")])),
            *(self._false_alarm(index) for index in extremes(false[np.argsort(-self.model.alerts.peak[false])])),
        ]

    def _incident(self, kind: str, index: int) -> Episode:
        incidents, horizon = self.split.incidents, self.split.horizon
        start, end = int(incidents.start[index]), int(incidents.end[index])
        since, lead = int(self.model.warned_from[index]), int(self.model.matching.lead[index])
        earliest = max(min(since, start - max(lead, 0)), start - _FARTHEST * horizon)
        low = earliest - max(horizon, (start - earliest) // 3)
        high = min(end, start + 2 * horizon) + horizon // 3
        note = incident_note(index, self.model, self.baseline)
        shown = self._episode(kind, int(incidents.device[index]), start, low, high, note)
        return replace(shown, warned_from=since, scenario=incidents.scenario[index])

    def _false_alarm(self, index: int) -> Episode:
        alerts, horizon = self.model.alerts, self.split.horizon
        opened, closed = int(alerts.opened[index]), int(alerts.closed[index])
        low, high = opened - 3 * horizon, min(closed, opened + 4 * horizon) + horizon // 2
        note = false_alarm_note(index, self.model)
        return self._episode(FALSE_ALARM, int(alerts.device[index]), opened, low, high, note)

    def _episode(self, kind: str, device: int, at: int, low: int, high: int, note: str) -> Episode:
        incidents, sequences = self.split.incidents, self.split.sequences
        mine = slice(incidents.offsets[device], incidents.offsets[device + 1])
        start, end = incidents.start[mine], incidents.end[mine]
        early = np.minimum(incidents.precursor_start[mine], start)
        return Episode(
            kind=kind,
            device=sequences.devices[device],
            at=at,
            low=low,
            high=high,
            note=note,
            rows=self._rows(device, low, high),
            location={
                name: str(values[device]) for name, values in self.split.attributes.items() if values[device]
            },
            incidents=_within(start, end, low, high),
            precursors=[span for span in _within(early, start, low, high) if span[0] < span[1]],
            alerts=self.model.spans(device, low, high),
            baseline_alerts=self.baseline.spans(device, low, high) if self.baseline else [],
        )

    def _rows(self, device: int, low: int, high: int) -> Integers:
        first, last = self.everything.offsets[device], self.everything.offsets[device + 1]
        start, end = np.searchsorted(self.everything.timestamps[first:last], (low, high + 1))
        return np.arange(first + start, first + end, dtype=np.int64)


def _within(starts: Integers, ends: Integers, low: int, high: int) -> Spans:
    touching = (ends >= low) & (starts <= high)
    return list(zip(starts[touching].tolist(), ends[touching].tolist(), strict=True))


def with_metrics(
    examples: Examples, episodes: list[Episode], metrics: list[list[str]], texts: Mapping[str, str] = _NONE
) -> list[Episode]:
    """Read the metrics of all episodes in one pass: every piece of a file is read once, and no other rows.

    Parameters
    ----------
    examples : Examples
    episodes : list of Episode
    metrics : list of list of str
        Columns, for each episode.
    texts : mapping, optional
        Columns that count log messages (see :func:`netops.evaluation.report.log_marks.log_texts`).
    """
    if not episodes:
        return []
    rows = np.unique(np.concatenate([episode.rows for episode in episodes]))
    columns = list(dict.fromkeys([*(name for names in metrics for name in names), *texts]))
    values = gather(Dataset.open(Path(examples.sources["test"])), columns, rows)

    def read(names: Iterable[str], own: Floats) -> dict[str, Floats]:
        return {name: own[:, columns.index(name)] for name in names}

    return [
        replace(episode, metrics=read(names, own), logs=log_lanes(texts, read(texts, own)))
        for episode, names in zip(episodes, metrics, strict=True)
        for own in [values[np.searchsorted(rows, episode.rows)]]
    ]


def _risks_at(rows: Integers, known: Integers, risks: Floats) -> Floats:
    """Find the risks of rows of the whole telemetry; NaN for those outside the test split."""
    index = np.searchsorted(known, rows).clip(0, len(known) - 1)
    return np.where(known[index] == rows, risks[index], np.nan)
