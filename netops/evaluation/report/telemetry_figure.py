"""An episode drawn over its telemetry: metrics, alerts and risk, one above the other on one time axis."""

import textwrap
from collections.abc import Mapping

import numpy as np

from netops.alerting.sequences import Floats
from netops.config.durations import DAY, HOUR, MINUTE, SECOND
from netops.evaluation.report.episodes import FALSE_ALARM, Episode, Spans
from netops.evaluation.report.svg import Drawing, Scale, thinned
from netops.evaluation.report.words import compact, lasting, moment, number, shortened, titled

_WIDTH, _LEFT, _RIGHT = 1120.0, 150.0, 14.0
_METRIC, _RISK, _GAP, _LANE, _MARK = 58.0, 76.0, 10.0, 13.0, 1.6
#: Maximum lines of a metric's name, and letters per line.
_LINES, _LETTERS = 3, 17
_STEPS = tuple(
    count * unit
    for unit, counts in ((SECOND, (1, 2, 5, 10, 30)), (MINUTE, (1, 2, 5, 10, 15, 30)), (HOUR, (1, 2, 3, 6, 12)))
    for count in counts
) + tuple(count * DAY for count in (1, 2, 5, 10))

Usual = Mapping[str, tuple[float, float]]


def telemetry_figure(episode: Episode, threshold: float, usual: Usual, key: str, interval: float) -> str:
    """Draw an episode.

    Parameters
    ----------
    episode : Episode
    threshold : float
        In service.
    usual : mapping
        Metric → the range of nine in ten healthy training samples.
    key : str
        Unique within the page.
    interval : float
        Seconds between two samples; a gap three times as long breaks the lines.
    """
    return _Panels(episode, threshold, usual, key, interval).draw()


class _Panels:
    """One drawing of an episode."""

    def __init__(self, episode: Episode, threshold: float, usual: Usual, key: str, interval: float) -> None:
        self.episode, self.threshold, self.usual = episode, threshold, usual
        lanes = 2 * _LANE + _GAP + (len(episode.logs) * _LANE + _GAP if episode.logs else 0)
        height = len(episode.metrics) * (_METRIC + _GAP) + lanes + _RISK + 60
        self.drawing = Drawing(_title(episode), episode.note, _WIDTH, height, key)
        self.x = Scale(episode.low, episode.high, _LEFT, _WIDTH - _RIGHT)
        self.bottom = height - 42
        self.gaps = np.flatnonzero(np.diff(episode.times) > 3 * interval * SECOND) + 1

    def draw(self) -> str:
        self._shade()
        top = 18.0
        for metric, values in self.episode.metrics.items():
            self._metric(metric, values, top)
            top += _METRIC + _GAP
        if self.episode.logs:
            self._logs(top)
            top += len(self.episode.logs) * _LANE + _GAP
        self._alerts(top)
        self._risk(top + 2 * _LANE + _GAP)
        self._axis()
        return self.drawing.render()

    def _shade(self) -> None:
        """Shade precursor, incident and alerts over all panels."""
        episode = self.episode
        for low, high in episode.precursors:
            self._band(low, high, "precursor")
        for low, high in episode.incidents:
            self._band(low, high, "incident")
        if episode.warned_from is not None:
            self._span_label(episode.warned_from, episode.at, "warning window")
            self.drawing.line(self.x(episode.warned_from), 14, self.x(episode.warned_from), self.bottom, "window")
        name = "alert" if episode.kind == FALSE_ALARM else "incident"
        self.drawing.text(self.x(episode.at) + 4, 11, name, "note strong")
        self.drawing.line(self.x(episode.at), 2, self.x(episode.at), self.bottom, "moment")

    def _band(self, low: int, high: int, style: str) -> None:
        left, right = self.x(low), self.x(high)
        if right > left:
            self.drawing.box(left, 14, right - left, self.bottom - 14, style)

    def _span_label(self, low: int, high: int, words: str) -> None:
        left, right = self.x(low), self.x(high)
        if right - left > 110:
            self.drawing.text((left + right) / 2, 11, words, "note", "middle")
        self.drawing.line(left, 14, right, 14, "window-top")

    def _metric(self, metric: str, values: Floats, top: float) -> None:
        y = self._panel(titled(metric), top, _METRIC, *self._range(metric, values))
        if metric in self.usual:
            low, high = (y(value) for value in self.usual[metric])
            self.drawing.box(self.x.start, high, self.x.end - self.x.start, max(low - high, 0.5), "usual")
        self._line(values, y, "line metric")
        for value in (y.low, y.high):
            index = y(value) + (4 if value == y.low else 8)
            self.drawing.text(_LEFT - 7, index, compact(value), "tick", "end")

    def _range(self, metric: str, values: Floats) -> tuple[float, float]:
        known = np.append(values[np.isfinite(values)], self.usual.get(metric, ()))
        if not len(known):
            return 0.0, 1.0
        low, high = float(known.min()), float(known.max())
        margin = (high - low) * 0.04 or abs(high) * 0.05 or 1.0
        return low - margin if low else 0.0, high + margin

    def _panel(self, name: str, top: float, height: float, low: float, high: float) -> Scale:
        lines = wrapped(name)
        for index, words in enumerate(lines):
            self.drawing.text(4, top + height / 2 + 4 + 13 * (index - (len(lines) - 1) / 2), words, "label")
        self.drawing.line(self.x.start, top + height, self.x.end, top + height, "axis")
        return Scale(low, high, top + height, top)

    def _line(self, values: Floats, y: Scale, style: str) -> None:
        x, indices = self.x.all(self.episode.times.astype(np.float64)), y.all(values)
        x, indices = np.insert(x, self.gaps, np.nan), np.insert(indices, self.gaps, np.nan)
        self.drawing.path(*thinned(x, indices), style)

    def _logs(self, top: float) -> None:
        for index, lane in enumerate(self.episode.logs):
            y = top + index * _LANE
            self.drawing.text(4, y + 10, f"{lane.name}: {lane.messages:,}", "label small")
            self.drawing.line(self.x.start, y + 5.5, self.x.end, y + 5.5, "grid")
            for time, messages in self._marks(lane.counts):
                tip = lane.tip(messages, moment(time))
                self.drawing.box(self.x(time) - _MARK / 2, y + 1, _MARK, _LANE - 4, f"log-{lane.style}", tip)

    def _marks(self, counts: Floats) -> list[tuple[int, int]]:
        """Return times and numbers of messages; those at one point of the drawing are one mark."""
        rows = np.flatnonzero(counts > 0)
        times = self.episode.times[rows]
        points, first = np.unique(self.x.all(times.astype(np.float64)).round(), return_index=True)
        totals: Floats = np.add.reduceat(counts[rows], first) if len(points) else np.zeros(0)
        return [(int(time), int(total)) for time, total in zip(times[first], totals, strict=True)]

    def _alerts(self, top: float) -> None:
        lanes: tuple[tuple[str, Spans, str], ...] = (
            ("alert", self.episode.alerts, "alert"),
            ("static thresholds", self.episode.baseline_alerts, "alert-baseline"),
        )
        for index, (name, spans, style) in enumerate(lanes):
            y = top + index * _LANE
            self.drawing.text(4, y + 10, name, "label small")
            self.drawing.line(self.x.start, y + 5.5, self.x.end, y + 5.5, "grid")
            for low, high in spans:
                left, right = self.x(low), self.x(high)
                tip = f"{name}: {moment(low)} to {moment(high)} UTC"
                self.drawing.box(left, y + 1, max(right - left, 2), _LANE - 4, style, tip)

    def _risk(self, top: float) -> None:
        y = self._panel("risk", top, _RISK, 0, 1)
        for value in (0, 1):
            self.drawing.text(_LEFT - 7, y(value) + (0 if value == 0 else 8), str(value), "tick", "end")
        self._line(self.episode.risks, y, "line risk")
        level = y(self.threshold)
        self.drawing.line(self.x.start, level, self.x.end, level, "threshold")
        words = f"threshold {number(self.threshold)}"
        self.drawing.text(self.x.start + 5, level + (12 if self.threshold > 0.5 else -4), words, "note")

    def _axis(self) -> None:
        self.drawing.line(self.x.start, self.bottom, self.x.end, self.bottom, "axis")
        at = self.episode.at
        step = next((s for s in _STEPS if (self.episode.high - self.episode.low) / s <= 10), _STEPS[-1])
        first = -((at - self.episode.low) // step)
        for index in range(first, (self.episode.high - at) // step + 1):
            x = self.x(at + index * step)
            words = "0" if index == 0 else ("+" if index > 0 else "") + lasting(index * step / SECOND)
            self.drawing.line(x, self.bottom, x, self.bottom + 5, "axis")
            self.drawing.text(x, self.bottom + 18, words, "tick", "middle")
        event = "alert" if self.episode.kind == FALSE_ALARM else "incident"
        middle = (self.x.start + self.x.end) / 2
        words = f"time from the {event}, {moment(at)} UTC"
        self.drawing.text(middle, self.bottom + 36, words, "label", "middle")


def wrapped(name: str) -> list[str]:
    """Break a name into at most three lines that fit next to a panel."""
    name = shortened(name, _LINES * _LETTERS)
    lines = textwrap.wrap(name, _LETTERS)
    if len(lines) <= _LINES:
        return lines
    return [name[start : start + _LETTERS] for start in range(0, len(name), _LETTERS)]


def _title(episode: Episode) -> str:
    what = {"warned": "Warned incident", "missed": "Missed incident"}.get(episode.kind, "False alarm")
    return f"{what} of {episode.device}, {moment(episode.at)} UTC: {', '.join(episode.metrics)}, alerts and risk"
