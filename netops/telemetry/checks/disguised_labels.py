"""Label leakage: metrics that are copies of the label, copies moved into the past, countdowns to the incident.

Such a column was added when the incidents were already known. A model that learns from it is excellent
on past telemetry and useless in production, where the future is unknown. Only evidence that a real metric cannot
give counts: it moves together with the label (Matthews correlation), it changes the same number of samples before
each incident, or it ranks samples by the time that is left to the next incident, however long that is.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from netops.telemetry.incidents import incidents_of

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

# A status or a flag has few values; labels are flags.
_FEW = 5
# Samples before a start that are examined, and healthy samples before these as the baseline.
_BEFORE = 240
_MIN_INCIDENTS = 8
# Matthews correlation with the label, alone and where the column is named like a label.
_COPY, _NAMED_COPY = 0.8, 0.5
# How far a flag must change from one sample to the next, averaged over incidents, relative to its range.
_STEP = 0.6
# Rank correlation with the time that is left.
_COUNTDOWN, _NAMED_COUNTDOWN = 0.9, 0.7
_ROWS_OF_DEVICE = 400
_NAMES = re.compile(
    r"(is_?)?(failure|failed|fail|fault|anomal(y|ous)|label|target|severity|outage|incident|rul|ttf)(_?(flag|label|id))?"
    r"|.*(remaining_useful_life|time_to_fail(ure)?|hours_to_fail(ure)?|cycles_to_fail(ure)?)"
    r"|(predicted|predict|pred|will|next)_.*",
    re.IGNORECASE,
)


@dataclass
class _Column:
    """Statistics of one metric."""

    levels: dict[float, list[int]] | None = field(default_factory=dict)
    before: Float64 = field(default_factory=lambda: np.zeros((2, _BEFORE)))
    usual: list[float] = field(default_factory=lambda: [0.0, 0.0])
    values: list[Float64] = field(default_factory=list)

    def add(self, other: "_Column") -> None:
        """Add the statistics of other devices."""
        self.values += other.values
        self.before += other.before
        self.usual = [mine + its for mine, its in zip(self.usual, other.usual, strict=True)]
        if self.levels is None or other.levels is None or len(self.levels.keys() | other.levels.keys()) > _FEW:
            self.levels = None
            return
        for level, counts in other.levels.items():
            seen = self.levels.setdefault(level, [0, 0])
            seen[0], seen[1] = seen[0] + counts[0], seen[1] + counts[1]


class LabelScan:
    """Compare metrics with the label, device by device, and find those that leak it.

    Parameters
    ----------
    names : iterable of str
        The metrics to examine.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._columns = {name: _Column() for name in names}
        self._left: list[Float64] = []
        self._incidents = 0

    @property
    def names(self) -> list[str]:
        """The metrics that are examined."""
        return list(self._columns)

    def add(self, timestamps: Int64, is_error: Bool, metrics: Mapping[str, Float64]) -> None:
        """Add one device.

        Parameters
        ----------
        timestamps : int64 array, n
            Ascending.
        is_error : bool array, n
        metrics : mapping
            Metric → float64 array, n; NaN where unknown.
        """
        starts, ends = incidents_of(timestamps, is_error)
        first = np.searchsorted(timestamps, starts)
        windows = [
            (max(end, row - _BEFORE), row) for end, row in _healthy(first, np.searchsorted(timestamps, ends))
        ]
        self._incidents += len(windows)
        rows, left = _rows_before(timestamps, is_error, starts)
        self._left.append(left)
        for name, column in self._columns.items():
            values = metrics[name]
            column.values.append(values[rows])
            if column.levels is not None:
                _count_levels(column, values, is_error)
            if column.levels is not None:
                _align(column, values, windows, is_error)

    def __iadd__(self, other: "LabelScan") -> "LabelScan":
        self._left += other._left
        self._incidents += other._incidents
        for name, column in self._columns.items():
            column.add(other._columns[name])
        return self

    def findings(self) -> dict[str, str]:
        """Return the metrics that leak the label.

        Returns
        -------
        dict
            Metric → reason.
        """
        left = np.concatenate(self._left) if self._left else np.array([])
        reasons = {name: self._reason(name, column, left) for name, column in self._columns.items()}
        return {name: why for name, why in reasons.items() if why}

    def _reason(self, name: str, column: _Column, left: Float64) -> str | None:
        named = bool(_NAMES.fullmatch(name.strip().replace(" ", "_")))
        if column.levels is not None and len(column.levels) > 1:
            agreement = _agreement(column.levels)
            if agreement >= (_NAMED_COPY if named else _COPY):
                return f"follows the label (correlation {agreement:.2f}): a copy of it"
            if self._incidents >= _MIN_INCIDENTS and (lead := _lead(column)):
                return f"changes {lead} samples before each incident: a label moved into the past"
        ranks = _rank_correlation(np.concatenate(column.values), left) if self._incidents >= _MIN_INCIDENTS else 0.0
        if ranks >= (_NAMED_COUNTDOWN if named else _COUNTDOWN):
            return f"counts down to the incidents (rank correlation {ranks:.2f})"
        return None


def _healthy(first: Int64, after: Int64) -> list[tuple[int, int]]:
    """Return the rows before each incident since the one before it, at most ``_BEFORE`` of them."""
    bounds = [0, *after.tolist()]
    spans = zip(bounds, first.tolist(), strict=False)
    return [(max(begin, row - _BEFORE), row) for begin, row in spans if row > begin]


def _rows_before(timestamps: Int64, is_error: Bool, starts: Int64) -> tuple[Int64, Float64]:
    """Choose evenly spaced healthy rows before an incident, and return the time until it starts."""
    ahead = np.searchsorted(starts, timestamps, side="right")
    rows = np.flatnonzero(~is_error & (ahead < len(starts)))
    rows = rows[:: max(1, len(rows) // _ROWS_OF_DEVICE)]
    return rows, (starts[ahead[rows]] - timestamps[rows]).astype(np.float64)


def _count_levels(column: _Column, values: Float64, is_error: Bool) -> None:
    known = ~np.isnan(values)
    held, errors = values[known], is_error[known]
    if len(held) > 1_000 and len(np.unique(held[:1_000])) > _FEW:
        column.levels = None
        return
    levels, codes = np.unique(held, return_inverse=True)
    assert column.levels is not None
    if len(levels) > _FEW or len(column.levels.keys() | set(levels.tolist())) > _FEW:
        column.levels = None
        return
    failing = np.bincount(codes, errors, len(levels)).astype(int)
    for level, bad, count in zip(levels.tolist(), failing, np.bincount(codes, minlength=len(levels)), strict=True):
        seen = column.levels.setdefault(level, [0, 0])
        seen[0] += int(bad)
        seen[1] += int(count - bad)


def _align(column: _Column, values: Float64, windows: Iterable[tuple[int, int]], is_error: Bool) -> None:
    """Sum the values by the number of samples before an incident."""
    near = is_error.copy()
    for begin, row in windows:
        near[begin:row] = True
        held = values[begin:row][::-1]
        known = ~np.isnan(held)
        column.before[0, : len(held)] += np.where(known, held, 0.0)
        column.before[1, : len(held)] += known
    usual = values[~near & ~np.isnan(values)]
    column.usual[0] += float(usual.sum())
    column.usual[1] += len(usual)


def _agreement(levels: Mapping[float, list[int]]) -> float:
    """Return the best Matthews correlation of the label with one level, or with all from one level on."""
    counts = np.array([levels[level] for level in sorted(levels)], float)
    singles = list(counts)
    upper = [counts[start:].sum(axis=0) for start in range(1, len(counts))]
    return max(abs(_matthews(chosen, counts.sum(axis=0) - chosen)) for chosen in (*singles, *upper))


def _matthews(chosen: Float64, other: Float64) -> float:
    (tp, fp), (fn, tn) = chosen, other
    scale = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return float((tp * tn - fp * fn) / scale) if scale else 0.0


def _lead(column: _Column) -> int | None:
    """Find the number of samples before every incident at which a flag changes; None if it does not."""
    assert column.levels is not None
    seen = column.before[1] >= _MIN_INCIDENTS
    count = int(np.argmin(seen)) if not seen.all() else _BEFORE
    span = max(column.levels) - min(column.levels)
    if count < 4 or not span:
        return None
    profile = column.before[0, :count] / column.before[1, :count] / span
    usual = column.usual[0] / column.usual[1] / span if column.usual[1] else profile[-1]
    steps = np.abs([before - after for after, before in pairwise(profile)])
    lead = int(np.argmax(steps)) + 1
    held = np.abs(profile[:lead] - usual) >= _STEP
    return lead if steps[lead - 1] >= _STEP and held.all() else None


def _rank_correlation(values: Float64, left: Float64) -> float:
    known = ~np.isnan(values)
    if known.sum() < 50 or len(np.unique(values[known])) <= _FEW:
        return 0.0
    ranks = [_ranks(column[known]) for column in (values, left)]
    spread = ranks[0].std() * ranks[1].std()
    return (
        abs(float(((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())).mean() / spread)) if spread else 0.0
    )


def _ranks(values: Float64) -> Float64:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Float64 = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks
