"""Sliding windows over the telemetry: the drift score of each series, and its significance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.config.durations import DAY
from netops.monitoring.comparison import Comparer, Rhythm
from netops.monitoring.distances import MINIMA, energy
from netops.monitoring.histograms import Floats, Histograms
from netops.monitoring.settings import MonitoringSettings

MONTH = 30 * DAY
#: The statistic of series of 0 and 1: the difference of the fractions.
SHARE = "total_variation"


@dataclass(frozen=True)
class Grid:
    """The windows, in blocks since the epoch.

    Attributes
    ----------
    block : int
        Nanoseconds.
    length, step : int
        Blocks.
    stops : tuple of int
        The end (exclusive) of each window, increasing; the last is the end of the telemetry.
    """

    block: int
    length: int
    step: int
    stops: tuple[int, ...]

    @classmethod
    def over(cls, first: int, last: int, block: int, settings: MonitoringSettings) -> "Grid":
        """Return windows over the time from ``first`` to ``last`` (ns); they are shortened if it is too short."""
        start, stop = first // block, last // block + 1
        length = max(1, min(round(settings.window / block), stop - start))
        step = max(1, round(settings.step / block))
        stops = range(stop, start + length - 1, -step)
        return cls(block, length, step, tuple(reversed(stops)))

    @property
    def ends(self) -> list[int]:
        """End of each window, in nanoseconds since the epoch."""
        return [stop * self.block for stop in self.stops]

    @property
    def per_month(self) -> float:
        """Windows in 30 days."""
        return max(1.0, MONTH / (self.step * self.block))


@dataclass(frozen=True)
class Moves:
    """Drift scores of series by window.

    Attributes
    ----------
    kind : str
        ``feature``, ``risk`` or ``missing``.
    names : tuple of str, S
    scores, p_values : float64 array, windows × S
        The statistic, and its p-value; NaN for a window with too few samples.
    minimum : float
        Smaller scores are not reported as drift.
    """

    kind: str
    names: tuple[str, ...]
    scores: Floats
    p_values: Floats
    minimum: float


def moves(kind: str, present: Histograms, reference: Rhythm, grid: Grid, settings: MonitoringSettings) -> Moves:
    """Compare each window of the telemetry with the reference."""
    shares = present.counts.shape[-1] == 2 and kind != "feature"
    statistic = SHARE if shares else settings.statistic
    minimum = settings.minimum_share if shares else settings.minimum
    comparer = Comparer(reference, statistic)
    scores = _scores(comparer, present, grid)
    p_values = comparer.null_distribution(grid.length).p_values(energy(statistic, scores))
    return Moves(kind, present.names, scores, p_values, MINIMA[statistic] if minimum is None else minimum)


def _scores(comparer: Comparer, present: Histograms, grid: Grid) -> Floats:
    by_slot = comparer.rhythm.by_slot()
    usual = np.median(comparer.rhythm.reference.counts.sum(axis=(0, 2))) / max(1, len(comparer.rhythm.reference))
    slots = comparer.rhythm.slot(present.numbers)
    scores = np.full((len(grid.stops), len(present.names)), np.nan)
    for index, stop in enumerate(grid.stops):
        low, high = stop - grid.length - present.first, stop - present.first
        window = present.counts[low:high]
        distances = comparer.distances(window, slots[low:high], by_slot)
        # A window with too few samples has no score.
        enough = window.sum(axis=(0, 2)) > 0.02 * usual * grid.length
        scores[index] = np.where(enough, distances, np.nan)
    return scores


def detected(moved: Sequence[Moves], grid: Grid, settings: MonitoringSettings) -> list[npt.NDArray[np.bool_]]:
    """Return which scores are significant and at least the minimum.

    The probability of any false alarm in 30 days is limited by Bonferroni correction over the windows and Holm
    correction over the series of each window.

    Returns
    -------
    list of bool arrays, windows × S
        One per item of ``moved``.
    """
    level = settings.false_alarms_per_month / grid.per_month
    p_values = np.concatenate([m.p_values for m in moved], axis=1)
    significant = np.array([holm(row, level) for row in p_values]).reshape(p_values.shape)
    cuts = np.cumsum([len(m.names) for m in moved])[:-1]
    return [
        part & (m.scores >= m.minimum) for part, m in zip(np.split(significant, cuts, axis=1), moved, strict=True)
    ]


def holm(p_values: Floats, level: float) -> npt.NDArray[np.bool_]:
    """Return the rejected hypotheses at family-wise error rate ``level`` (Holm 1979); NaN is not rejected."""
    known = np.flatnonzero(~np.isnan(p_values))
    rejected = np.zeros(len(p_values), np.bool_)
    order = known[np.argsort(p_values[known], kind="stable")]
    allowed = level / (len(order) - np.arange(len(order)))
    beyond = p_values[order] > allowed
    rejected[order[: int(np.argmax(beyond)) if beyond.any() else len(order)]] = True
    return rejected
