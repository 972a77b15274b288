"""All incidents of a run over time: start, split, and whether they were predicted."""

from dataclasses import dataclass, field

import numpy as np

from netops.alerting.sequences import Flags
from netops.config.durations import DAY, HOUR, MINUTE
from netops.evaluation.report.facts import Log
from netops.evaluation.report.svg import Drawing, Scale
from netops.evaluation.report.words import counted, moment, titled
from netops.training.splits import TEST, TRAIN, VALIDATION

_WIDTH, _LANE, _LEFT = 1120.0, 30.0, 150.0
_STEPS = tuple(
    count * unit
    for unit, counts in (
        (MINUTE, (1, 2, 5, 10, 15, 30)),
        (HOUR, (1, 2, 3, 6, 12)),
        (DAY, (1, 2, 5, 10, 30, 90, 365)),
    )
    for count in counts
)
_STYLES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}


@dataclass
class Timeline:
    """A drawing of incident logs.

    Attributes
    ----------
    logs : list of Log
        The main dataset and, if the test telemetry is separate, that one.
    warned : bool array or None
        Which incidents of the last log the best model predicted; None without a model.
    span : (int, int)
        First and last time of the telemetry, nanoseconds since the epoch.
    boundaries : tuple of int
        Start times of validation and test; empty for other splits than by time.
    """

    logs: list[Log]
    warned: Flags | None
    span: tuple[int, int]
    boundaries: tuple[int, ...] = ()
    _seen: set[tuple[int, int, str]] = field(default_factory=set)

    def draw(self) -> str:
        """Return the SVG element."""
        lanes = sorted({name for log in self.logs for name in log.scenario}) or [""]
        count = sum(len(log.start) for log in self.logs)
        description = f"{counted(count, 'incident')} between {moment(self.span[0])} and {moment(self.span[1])} UTC"
        height = 26 + _LANE * len(lanes) + 34
        drawing = Drawing("Incidents over time", description, _WIDTH, height, "timeline")
        x = Scale(*self.span, _LEFT, _WIDTH - 14)
        bottom = 26 + _LANE * len(lanes)
        self._frame(drawing, x, bottom)
        for index, lane in enumerate(lanes):
            y = 26 + _LANE * (index + 0.5)
            drawing.text(_LEFT - 10, y + 4, titled(lane) or "incidents", "label", "end")
            drawing.line(_LEFT, y, _WIDTH - 14, y, "grid")
            self._marks(drawing, x, y, lane)
        return drawing.render()

    def _frame(self, drawing: Drawing, x: Scale, bottom: float) -> None:
        edges = (self.span[0], *self.boundaries, self.span[1])
        if self.boundaries:
            names = ("training", "validation", "test") if len(self.boundaries) == 2 else ("training", "validation")
            for name, low, high in zip(names, edges, edges[1:], strict=False):
                drawing.text((x(low) + x(high)) / 2, 14, name, "tick", "middle")
                drawing.line(x(low), 20, x(low), bottom, "reference")
        for time, words in time_ticks(*self.span):
            drawing.line(x(time), bottom, x(time), bottom + 5, "axis")
            drawing.text(x(time), bottom + 20, words, "tick", "middle")
        drawing.line(x.start, bottom, x.end, bottom, "axis")

    def _marks(self, drawing: Drawing, x: Scale, y: float, lane: str) -> None:
        for number, log in enumerate(self.logs):
            for index in np.flatnonzero([scenario == lane for scenario in log.scenario]):
                time, split = int(log.start[index]), int(log.split[index])
                is_tested = self.warned is not None and number == len(self.logs) - 1 and split == TEST
                warned = bool(self.warned[index]) if is_tested and self.warned is not None else None
                style = _style(split, bool(log.counted[index]), warned)
                # Overlapping marks are drawn once, so that the drawings of long logs stay small.
                if (key := (round(x(time)), round(y), style)) not in self._seen:
                    self._seen.add(key)
                    _mark(drawing, x(time), y, style, f"{titled(lane) or 'incident'}, {moment(time)} UTC")


def _style(split: int, counts: bool, warned: bool | None) -> str:
    if split not in _STYLES or not counts:
        return "uncounted"
    return _STYLES[split] if warned is None else "warned" if warned else "missed"


def _mark(drawing: Drawing, x: float, y: float, style: str, tip: str) -> None:
    """Return a shape for each style, so that colour alone need not distinguish them."""
    if style == "missed":
        drawing.line(x - 5, y - 5, x + 5, y + 5, "mark missed")
        drawing.line(x - 5, y + 5, x + 5, y - 5, "mark missed")
    elif style == "train":
        drawing.box(x - 1.2, y - 7, 2.4, 14, "mark train", tip)
    else:
        drawing.dot(x, y, 3 if style == "uncounted" else 5, f"mark {style}", tip)


def time_ticks(low: int, high: int, most: int = 8) -> list[tuple[int, str]]:
    """Choose at most ``count`` round times to mark; the date is written when it changes."""
    step = next((step for step in _STEPS if (high - low) / step <= most), _STEPS[-1])
    ticks, day = [], ""
    for time in range(-(-low // step) * step, high + 1, step):
        date, clock = moment(time).split()
        words = date if step >= DAY else clock[:5] if date == day else f"{date} {clock[:5]}"
        ticks.append((time, words))
        day = date
    return ticks
