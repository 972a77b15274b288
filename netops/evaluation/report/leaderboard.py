"""The leaderboard: every model and the static thresholds, on the test split, with intervals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from netops.alerting.resampling import Interval
from netops.evaluation.assessment import Assessment
from netops.evaluation.evaluate import Evaluation
from netops.evaluation.report.bounds import alarms_between, recall_between
from netops.evaluation.report.figures import Series
from netops.evaluation.report.words import (
    counted,
    is_informative,
    known,
    lasting,
    number,
    percent,
    significant,
    spread,
)
from netops.evaluation.selection import Choice
from netops.models.card import ModelCard

_WIDTH, _HEIGHT = 110.0, 12.0


@dataclass(frozen=True)
class Cell:
    """A cell of the leaderboard: value, sample size, interval as text and as a mark."""

    value: str
    detail: str = ""
    interval: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Row:
    """A model in the leaderboard."""

    series: Series
    best: bool
    version: str
    cells: list[Cell]


#: Cells of a row, and their explanations.
COLUMNS = (
    ("Average precision, validation", "what the choice is made by"),
    ("Average precision, test", "of samples; a guess reaches the base rate"),
    ("Event recall", "incidents warned of"),
    ("False alarms per device-day", "at the threshold in service"),
    ("Precision", "alerts that were true"),
    ("Median lead time", "of the incidents warned of"),
    ("Calibration error", "of the probability; 0 is perfect"),
    ("Threshold", "chosen on validation"),
    ("Fit", "wall time"),
)


def leaderboard(
    assessments: Mapping[str, Assessment], choice: Choice, cards: Mapping[str, ModelCard], series: list[Series]
) -> list[Row]:
    """Make the rows: the models by their validation average precision, the best first, then the baseline."""
    most = _most(assessments)
    rows = [
        Row(
            one,
            one.name == choice.best,
            cards[one.name].version if one.name in cards else "",
            _cells(assessments[one.name], one.name, choice, cards.get(one.name), most),
        )
        for one in series
    ]
    return sorted(rows, key=lambda row: -choice.average_precision.get(row.series.name, -1.0))


def _most(assessments: Mapping[str, Assessment]) -> dict[str, float]:
    """Find the right end of the marks of each figure, the same for all models."""
    most = {"average_precision": 1.0}
    for name in ("false_alarms_per_device_day", "median_lead_seconds"):
        values = []
        for assessment in assessments.values():
            found = assessment.evaluation
            values += [getattr(found.figures, name), *vars(found.intervals.get(name, Interval(0, 0))).values()]
        most[name] = max([value for value in values if known(value)], default=0.0)
    return most


def _cells(
    assessment: Assessment, name: str, choice: Choice, card: ModelCard | None, most: Mapping[str, float]
) -> list[Cell]:
    evaluation, policy = assessment.evaluation, assessment.policy
    found = evaluation.figures
    validation = choice.average_precision.get(name)
    lift = f"{number(found.average_precision / found.base_rate, 2)} × base rate" if found.base_rate > 0 else ""
    alarms = f"{counted(found.false_alarms, 'alarm')} in {number(found.device_days)} device-days"
    share = f"{found.incidents_warned} of {found.incidents}"
    return [
        _cell(validation, choice.intervals.get(name), 1.0)
        if validation is not None
        else Cell("–", "not a candidate"),
        _figure(
            evaluation, "average_precision", "; ".join(filter(None, [lift, _roc_auc(evaluation)])), number, most
        ),
        _recall(evaluation, share),
        _alarms(evaluation, alarms, most),
        _precision(evaluation),
        _figure(evaluation, "median_lead_seconds", "", lasting, most),
        _calibration(evaluation) if card else Cell("–", "no probability"),
        Cell(number(policy.threshold)),
        Cell(lasting(card.fit_seconds), _effort(card)) if card else Cell("–"),
    ]


def _effort(card: ModelCard) -> str:
    trials = card.search.get("trials", 0)
    return counted(card.iterations, "iteration") + (f", the best of {trials} trials" if trials > 1 else "")


def recall_range(evaluation: Evaluation) -> str:
    """Return the 95% confidence interval of the event recall."""
    return recall_between(evaluation.figures, evaluation.intervals.get("event_recall"))


def alarms_range(evaluation: Evaluation) -> str:
    """Return the 95% confidence interval of the false alarms per device-day."""
    return alarms_between(evaluation.figures, evaluation.intervals.get("false_alarms_per_device_day"))


def _recall(evaluation: Evaluation, detail: str) -> Cell:
    value, interval = evaluation.figures.event_recall, evaluation.intervals.get("event_recall")
    return Cell(percent(value), detail, recall_range(evaluation), _mark(value, interval, 1.0))


def _alarms(evaluation: Evaluation, detail: str, most: Mapping[str, float]) -> Cell:
    found, interval = evaluation.figures, evaluation.intervals.get("false_alarms_per_device_day")
    value = found.false_alarms_per_device_day
    mark = _mark(value, interval, most["false_alarms_per_device_day"])
    return Cell(number(value), detail, alarms_range(evaluation), mark)


def _precision(evaluation: Evaluation) -> Cell:
    found, interval = evaluation.figures, evaluation.intervals.get("precision")
    detail = f"{found.true_alerts} of {found.true_alerts + found.false_alarms} alerts"
    return Cell(percent(found.precision), detail, spread(interval, percent), _mark(found.precision, interval, 1.0))


def _roc_auc(evaluation: Evaluation) -> str:
    between = spread(evaluation.intervals.get("roc_auc"))
    return f"ROC AUC {number(evaluation.figures.roc_auc)}" + (f" ({between})" if between else "")


def _calibration(evaluation: Evaluation) -> Cell:
    found, raw = evaluation.reliability, evaluation.uncalibrated
    interval = spread(evaluation.intervals.get("expected_calibration_error"), significant)
    risk = f"{significant(raw.expected_calibration_error)} of the risk" if raw else "of the risk: not calibrated"
    detail = f"{risk}; Brier {significant(found.brier)}"
    return Cell(significant(found.expected_calibration_error), detail, interval)


def _figure(
    evaluation: Evaluation, name: str, detail: str, write: Callable[[float], str], most: Mapping[str, float]
) -> Cell:
    value, interval = getattr(evaluation.figures, name), evaluation.intervals.get(name)
    return _cell(value, interval, most[name], detail, write)


def _cell(
    value: float, interval: Interval | None, most: float, detail: str = "", write: Callable[[float], str] = number
) -> Cell:
    return Cell(write(value), detail, spread(interval, write), _mark(value, interval, most))


def _mark(value: float, interval: Interval | None, most: float) -> str:
    """Draw an interval and its value on a line from 0 to ``most``; the text next to it has the same content."""
    if interval is None or not (is_informative(interval) and known(value) and most > 0):
        return ""
    low, high, at = (3 + min(max(x / most, 0), 1) * (_WIDTH - 6) for x in (interval.low, interval.high, value))
    middle = _HEIGHT / 2
    return (
        f'<svg class="mark-interval" aria-hidden="true" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}">'
        f'<line class="grid" x1="0" x2="{_WIDTH:g}" y1="{middle:g}" y2="{middle:g}"/>'
        f'<line class="interval" x1="{low:.1f}" x2="{max(high, low + 1):.1f}" y1="{middle:g}" y2="{middle:g}"/>'
        f'<circle class="value" cx="{at:.1f}" cy="{middle:g}" r="3.2"/></svg>'
    )
