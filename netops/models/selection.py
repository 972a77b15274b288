"""Which of the models is best: by validation average precision, with intervals over devices and incidents."""

from collections.abc import Mapping
from dataclasses import dataclass

from netops.alerting.sequences import Floats
from netops.errors import NetopsError
from netops.models.bootstrap import TIMES, Interval, interval
from netops.models.outcomes import Part
from netops.models.ranking import Ranking


@dataclass(frozen=True)
class Difference:
    """Average precision of one model minus that of another, on the same samples.

    Attributes
    ----------
    value : float
    interval : Interval
        From paired resamples: both models are judged on the same devices and incidents each time.
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
        Model → on the part.
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


def choose_best(part: Part, risks: Mapping[str, Floats], *, seed: int = 0, resamples: int = TIMES) -> Choice:
    """Choose the model with the highest average precision.

    Parameters
    ----------
    part : Part
        The validation part.
    risks : mapping
        Model → its risks, float64 array, rows of the part.
    seed, resamples : int
        Of the bootstrap.

    Raises
    ------
    NetopsError
        If there is no model, or none whose average precision is defined.
    """
    weights = part.stretches.weights(seed, resamples)
    rankings = {name: Ranking.of(risk, part.labels, part.stretches.of_row) for name, risk in risks.items()}
    found = {name: ranking.figures(weights[0] * 0 + 1)[0] for name, ranking in rankings.items()}
    defined = {name: value for name, value in found.items() if value == value}
    if not defined:
        raise NetopsError("no model to choose from: none could be judged on the validation part")
    resampled = {name: ranking.resampled(weights)[:, 0] for name, ranking in rankings.items()}
    best = max(defined, key=lambda name: defined[name])
    ahead = {
        name: Difference(found[best] - found[name], interval(resampled[best] - resampled[name]))
        for name in found
        if name != best
    }
    intervals = {name: interval(values) for name, values in resampled.items()}
    return Choice(best, _reason(best, found[best], intervals[best], ahead), found, intervals, ahead)


def compare(part: Part, first: Floats, second: Floats, *, seed: int = 0, resamples: int = TIMES) -> Difference:
    """Say by how much the average precision of the first model is above that of the second, on the same samples."""
    risks = {"first": first, "second": second}
    choice = choose_best(part, risks, seed=seed, resamples=resamples)
    if choice.best == "first":
        return choice.ahead["second"]
    behind = choice.ahead["first"]
    return Difference(-behind.value, Interval(-behind.interval.high, -behind.interval.low))


def _reason(best: str, value: float, spread: Interval, ahead: Mapping[str, Difference]) -> str:
    text = f"{best} has the highest average precision on validation: {value:.3f} ({_spread(spread)})"
    parts = [
        f"{'ahead of' if difference.better else 'not told apart from'} {name} "
        f"({difference.value:+.3f}, {_spread(difference.interval)})"
        for name, difference in ahead.items()
    ]
    return "; ".join([text, *parts])


def _spread(spread: Interval) -> str:
    return f"95% interval {spread.low:.3f} to {spread.high:.3f}"
