"""The baseline: tuned static thresholds on metrics, evaluated with the same alert policy and budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.alerting.sequences import Floats
from netops.config.durations import format_duration
from netops.evaluation.ranking import Ranking
from netops.features.spec import FeatureSpec

#: Rarity is a number of decades: 3 is what one healthy sample in a thousand shows. Risk 1 is this rare.
RAREST = 12.0
#: Thresholds that watch together at most, of how many that are the best alone.
MOST_SIGNALS, SHORT_LIST = 8, 16
_KNOTS = 80
_MOST_ROWS = 50_000
#: Minimum factor by which a further threshold must raise the average precision, to exclude chance.
_LEAST_GAIN = 1.01
#: Wide data: number of columns and directions that are searched fully, and of rows to choose them on.
_SCREENED, _SCREENING_ROWS = 48, 8_000


@dataclass(frozen=True)
class Signal:
    """A metric watched in one direction.

    Attributes
    ----------
    column : str
        A metric's current value, or its mean over the shortest window.
    above : bool
        Whether high values are watched, or low ones.
    values, rarity : tuple of float
        Rising values (negated where low ones are watched), and how rare such values or more extreme ones are among
        healthy samples, in decades.
    """

    column: str
    above: bool
    values: tuple[float, ...]
    rarity: tuple[float, ...]

    def score(self, values: Floats) -> Floats:
        """Return how rare values are, in decades; 0 where they are missing."""
        rising, rarity = np.asarray(self.values), np.asarray(self.rarity)
        seen = values if self.above else -values
        score = np.interp(seen, rising, rarity, left=0.0)
        beyond = np.maximum(seen - rising[-1], 0.0) / self._decade()
        return np.where(np.isnan(values), 0.0, np.minimum(score + beyond, RAREST))

    def at(self, rarity: float) -> float:
        """Return the value that is so rare: the static threshold."""
        beyond = max(rarity - self.rarity[-1], 0.0) * self._decade()
        value = float(np.interp(rarity, self.rarity, self.values)) + beyond
        return value if self.above else -value

    def _decade(self) -> float:
        """How far values beyond all that was seen are a decade rarer: as the last decade seen was wide."""
        before = float(np.interp(self.rarity[-1] - 1, self.rarity, self.values))
        return max(self.values[-1] - before, 1e-9 * max(abs(self.values[-1]), 1.0))


@dataclass(frozen=True)
class StaticThresholds:
    """Thresholds on one or several metrics, equally rare among healthy samples; any of them alerts.

    Attributes
    ----------
    signals : tuple of Signal
    average_precision : float
        On the training split.
    """

    signals: tuple[Signal, ...]
    average_precision: float

    @property
    def columns(self) -> list[str]:
        """The feature columns that are read."""
        return list(dict.fromkeys(signal.column for signal in self.signals))

    def score(self, features: Floats, names: Sequence[str]) -> Floats:
        """Score samples.

        Parameters
        ----------
        features : float64 array, rows × len(names)
        names : sequence of str
            Its columns; ``columns`` must be among them.

        Returns
        -------
        float64 array, rows
            Risks in 0..1, rising with the rarest of the signals.
        """
        index = {name: number for number, name in enumerate(names)}
        rarest = np.zeros(len(features))
        for signal in self.signals:
            np.maximum(rarest, signal.score(features[:, index[signal.column]]), out=rarest)
        return rarest / RAREST

    def describe(self, threshold: float) -> list[str]:
        """Format the static thresholds that a risk represents: ``cpu_utilization_mean_1m >= 87.3``."""
        rarity = threshold * RAREST
        return [f"{s.column} {'>=' if s.above else '<='} {s.at(rarity):.6g}" for s in self.signals]

    def to_dict(self, threshold: float | None = None) -> dict[str, object]:
        """Convert to JSON-compatible values."""
        signals = [{"column": signal.column, "above": signal.above} for signal in self.signals]
        raw: dict[str, object] = {"signals": signals, "average_precision": self.average_precision}
        return raw if threshold is None else raw | {"thresholds": self.describe(threshold)}


def baseline_columns(spec: FeatureSpec) -> list[str]:
    """Name the feature columns that the baseline uses: current values and means over the shortest window."""
    mean = f"_mean_{format_duration(min(spec.windows))}"
    names = set(spec.names)
    wanted = [name for metric in spec.metrics for name in (metric, metric + mean)]
    return [name for name in wanted if name in names]


def fit_baseline(
    features: Floats,
    labels: npt.NDArray[np.int8],
    weights: Floats,
    names: Sequence[str],
    columns: Sequence[str],
    *,
    seed: int = 0,
) -> StaticThresholds:
    """Tune static thresholds on the training split.

    Every column is tried in both directions, alone; then the best are put together, one by one, as long as their
    maximum ranks the training samples better (average precision).

    Parameters
    ----------
    features : float64 array, rows × len(names)
        Training examples; thinned ones with their weights.
    labels : int8 array, rows
        0 or 1.
    weights : float64 array, rows
        Number of samples that each row represents.
    names, columns : sequence of str
        The columns of ``features``, and those to use (``baseline_columns``).
    seed : int
        Seed of the sample of rows if there are more than 50,000.
    """
    index = {name: number for number, name in enumerate(names)}
    watched = [(column, above) for column in columns for above in (True, False)]
    if len(watched) > _SCREENED:
        watched = _screened(features, labels, weights, index, watched, seed)
    rows = _some_rows(labels, _MOST_ROWS, seed)
    labels, weights = labels[rows], _reweighed(labels, weights, rows)
    scores: dict[Signal, Floats] = {}
    for column, above in watched:
        values = features[rows, index[column]]
        if signal := _signal(column, above, values[labels == 0], weights[labels == 0]):
            scores[signal] = signal.score(values)
    return _combined(scores, labels, weights)


def _screened(
    features: Floats,
    labels: npt.NDArray[np.int8],
    weights: Floats,
    index: Mapping[str, int],
    watched: Sequence[tuple[str, bool]],
    seed: int,
) -> list[tuple[str, bool]]:
    """Select the columns and directions that rank a sample of the rows best, if there are many."""
    rows = _some_rows(labels, _SCREENING_ROWS, seed)
    own, known = _reweighed(labels, weights, rows), labels[rows]
    units, found = np.arange(len(rows)), {}
    for column, above in watched:
        values = features[rows, index[column]]
        ranking = Ranking.of(values if above else -values, known, units)
        found[column, above] = ranking.figures(own)[0]
    return sorted(watched, key=lambda one: -np.nan_to_num(found[one]))[:_SCREENED]


def _some_rows(labels: npt.NDArray[np.int8], most: int, seed: int) -> npt.NDArray[np.int64]:
    if len(labels) <= most:
        return np.arange(len(labels))
    generator = np.random.default_rng(seed)
    selected = [
        generator.choice(own, min(len(own), most // 2), replace=False)
        for own in (np.flatnonzero(labels == 0), np.flatnonzero(labels == 1))
    ]
    return np.sort(np.concatenate(selected))


def _reweighed(labels: npt.NDArray[np.int8], weights: Floats, rows: npt.NDArray[np.int64]) -> Floats:
    """Weight the sampled rows to represent all rows of their class."""
    selected = weights[rows].astype(np.float64)
    for label in (0, 1):
        mine = labels[rows] == label
        if mine.any():
            selected[mine] *= weights[labels == label].sum() / selected[mine].sum()
    return selected


def _signal(column: str, above: bool, values: Floats, weights: Floats) -> Signal | None:
    """Fit the rarity of values among healthy samples; None for a constant column."""
    known = np.isfinite(values)
    seen, order = np.unique(values[known] if above else -values[known], return_inverse=True)
    if len(seen) < 2:
        return None
    mass = np.bincount(order, weights=weights[known])
    rarity = -np.log10(np.cumsum(mass[::-1])[::-1] / mass.sum())
    # Knots at equal steps of rarity: dense where alerts are decided.
    indices = np.unique(np.searchsorted(rarity, np.linspace(0, rarity[-1], _KNOTS)).clip(0, len(seen) - 1))
    return Signal(column, above, tuple(seen[indices].tolist()), tuple(rarity[indices].tolist()))


def _combined(scores: Mapping[Signal, Floats], labels: npt.NDArray[np.int8], weights: Floats) -> StaticThresholds:
    rows = np.arange(len(labels))

    def average_precision(score: Floats) -> float:
        return Ranking.of(score, labels, rows).figures(weights)[0]

    alone = {signal: average_precision(score) for signal, score in scores.items()}
    short = sorted(alone, key=lambda signal: (-alone[signal], signal.column, signal.above))[:SHORT_LIST]
    chosen: list[Signal] = []
    best, rarest = 0.0, np.zeros(len(labels))
    while len(chosen) < MOST_SIGNALS:
        tried = {s: average_precision(np.maximum(rarest, scores[s])) for s in short if s not in chosen}
        if not tried or max(tried.values()) <= best * _LEAST_GAIN:
            break
        winner = max(tried, key=lambda signal: tried[signal])
        chosen.append(winner)
        best, rarest = tried[winner], np.maximum(rarest, scores[winner])
    return StaticThresholds(tuple(chosen), best)
