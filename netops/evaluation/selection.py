"""Which of the models is best: by validation average precision, with intervals over devices and incidents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.resampling import LEVEL, Interval, interval
from netops.alerting.sequences import Floats
from netops.errors import NetopsError
from netops.evaluation.ranking import Ranking

#: Resamples that a decision rests on.
DECISIVE = 2_000


@dataclass(frozen=True)
class Difference:
    """Average precision of one model minus that of another, on the same samples.

    Attributes
    ----------
    value : float
    interval : Interval
        From paired resamples: both models are evaluated on the same devices and incidents each time.
    """

    value: float
    interval: Interval

    @property
    def better(self) -> bool:
        """Whether the first is better beyond the interval."""
        return self.interval.low > 0


@dataclass(frozen=True)
class Choice:
    """The best of several models.

    Attributes
    ----------
    best : str
    reason : str
        In a sentence.
    average_precision : dict
        Model → average precision on the split.
    intervals : dict
        Model → 95% interval of it.
    ahead : dict
        Every other model → by how much the best is ahead of it.
    """

    best: str
    reason: str
    average_precision: dict[str, float]
    intervals: dict[str, Interval]
    ahead: dict[str, Difference]


def choose_best(
    split: EvaluationSplit, risks: Mapping[str, Floats], *, seed: int = 0, resamples: int = DECISIVE
) -> Choice:
    """Choose the model with the highest average precision.

    Parameters
    ----------
    part : Part
        The validation split.
    risks : mapping
        Model → its risks, float64 array, rows of the split.
    seed, resamples : int
        Of the bootstrap.

    Raises
    ------
    NetopsError
        If there is no model, or none whose average precision is defined.
    """
    found, resampled = _precisions(split, risks, seed, resamples)
    defined = {name: value for name, value in found.items() if value == value}
    if not defined:
        raise NetopsError("no model to choose from: none could be evaluated on the validation split")
    best = max(defined, key=lambda name: defined[name])
    ahead = {
        name: Difference(found[best] - found[name], interval(resampled[best] - resampled[name]))
        for name in found
        if name != best
    }
    intervals = {name: interval(values) for name, values in resampled.items()}
    return Choice(best, _reason(best, found[best], intervals[best], ahead), found, intervals, ahead)


def compare(
    split: EvaluationSplit,
    first: Floats,
    second: Floats,
    *,
    rivals: Sequence[Floats] = (),
    seed: int = 0,
    resamples: int = DECISIVE,
) -> Difference:
    """Return the difference in average precision of two models on the same samples.

    Parameters
    ----------
    part : Part
    first, second : float64 array, rows of the split
        The risks of both models.
    rivals : sequence of float64 arrays
        Those of the models that the first was chosen from, as the best on this very split. The lower end of the
        interval is corrected for that choice by the distribution of the greatest studentised difference over all
        of them (White 2000; Romano and Wolf 2005); without it the best of several equals would seem better.
    seed, resamples : int
        Of the bootstrap.
    """
    models = {"second": second, "first": first} | {f"rival {index}": risks for index, risks in enumerate(rivals)}
    found, resampled = _precisions(split, models, seed, resamples)
    base = (found.pop("second"), resampled.pop("second"))
    return _difference(found, resampled, *base)


def against_chance(
    split: EvaluationSplit,
    first: Floats,
    *,
    rivals: Sequence[Floats] = (),
    seed: int = 0,
    resamples: int = DECISIVE,
) -> Difference:
    """Return the average precision of a model minus the base rate, which is that of chance.

    Parameters
    ----------
    As for :func:`compare`.
    """
    models = {"first": first} | {f"rival {index}": risks for index, risks in enumerate(rivals)}
    found, resampled = _precisions(split, models, seed, resamples)
    weights = split.periods.weights(seed, resamples)
    positives, labelled = (
        np.bincount(split.periods.of_row[rows], minlength=len(split.periods)).astype(np.float64)
        for rows in (split.labels == 1, split.labels >= 0)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = (weights @ positives) / (weights @ labelled)
    return _difference(found, resampled, float(positives.sum() / max(labelled.sum(), 1)), rates)


def _precisions(
    split: EvaluationSplit, risks: Mapping[str, Floats], seed: int, resamples: int
) -> tuple[dict[str, float], dict[str, Floats]]:
    """Return the average precision of each model on the split, and on resamples of it that are the same for all."""
    weights = split.periods.weights(seed, resamples)
    weights = np.concatenate([np.ones((1, weights.shape[1])), weights])
    found, resampled = {}, {}
    for name, risk in risks.items():
        precisions = Ranking.of(risk, split.labels, split.periods.of_row).resampled(weights)[:, 0]
        found[name], resampled[name] = float(precisions[0]), precisions[1:]
    return found, resampled


def _difference(
    found: Mapping[str, float], resampled: Mapping[str, Floats], value: float, values: Floats
) -> Difference:
    """Compare the model ``first`` with a base; the others that it was chosen from correct the lower end."""
    differences = {name: found[name] - value for name in found}
    spread = {name: resampled[name] - values for name in found}
    if differences["first"] < 0:  # the same from both sides, to the last bit
        back = interval(-spread["first"])
        plain = Interval(-back.high, -back.low)
    else:
        plain = interval(spread["first"])
    if len(found) == 1:
        return Difference(differences["first"], plain)
    names = [name for name in found if np.nanstd(spread[name]) > 0]
    if "first" not in names:
        return Difference(differences["first"], plain)
    scale = {name: float(np.nanstd(spread[name])) for name in names}
    greatest = np.fmax.reduce([(differences[name] - spread[name]) / scale[name] for name in names])
    known = greatest[np.isfinite(greatest)]
    low = differences["first"] - scale["first"] * float(np.quantile(known, (1 + LEVEL) / 2))
    return Difference(differences["first"], Interval(min(low, plain.low), plain.high))


def _reason(best: str, value: float, spread: Interval, ahead: Mapping[str, Difference]) -> str:
    text = f"{best} has the highest average precision on validation: {value:.3f} ({_spread(spread)})"
    parts = [
        f"{'ahead of' if difference.better else 'not significantly different from'} {name} "
        f"({difference.value:+.3f}, {_spread(difference.interval)})"
        for name, difference in ahead.items()
    ]
    return "; ".join([text, *parts])


def _spread(spread: Interval) -> str:
    return f"95% interval {spread.low:.3f} to {spread.high:.3f}"
