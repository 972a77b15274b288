"""What a reader should know before believing the figures, in sentences."""

from collections.abc import Mapping

from netops.evaluation.assessment import Assessment
from netops.evaluation.clock_incidents import WithoutClock
from netops.evaluation.evaluate import Evaluation, Figures
from netops.evaluation.report.figures import BASELINE, CLOCK
from netops.evaluation.report.leaderboard import recall_range
from netops.evaluation.report.words import counted, known, listed, number, titled
from netops.evaluation.selection import Choice
from netops.evaluation.threshold import poisson_upper_bound
from netops.models.deviations import DEVIATIONS
from netops.telemetry.dataset import GENERATED

#: With fewer incidents, a single one moves the event recall by more than three points.
_FEW = 30
_TOO_SURE = 0.05
# Results on real telemetry are far below, unless a column contains the label.
_NEAR_PERFECT = 0.98


def verdict_of(best: Assessment, name: str, baseline: Assessment | None) -> str:
    """Return one or two sentences on the quality of the best model."""
    found = best.evaluation.figures
    text = f"The best model, {titled(name)}, warned of {_warned(found)} in the test split"
    text += f", with {counted(found.false_alarms, 'false alarm')} in {number(found.device_days)} device-days."
    if baseline is None:
        return text
    other = baseline.evaluation.figures
    text += f" Static thresholds under the same alert budget warned of {_warned(other)}, "
    return text + f"with {counted(other.false_alarms, 'false alarm')}."


def _warned(found: Figures) -> str:
    return f"{found.incidents_warned or 'none'} of {counted(found.incidents, 'incident')}"


def near_perfect(found: Figures, source: str) -> str:
    """Return a caution about an average precision near 1 on real telemetry; empty if not applicable."""
    if source == GENERATED or not found.average_precision >= _NEAR_PERFECT:
        return ""
    return (
        f"An average precision of {number(found.average_precision)} on the test split is rare on real telemetry: "
        "does a column know the incidents beforehand? See the most important metrics in the report; "
        "--set 'telemetry.exclude=[NAME]' leaves one out."
    )


def cautions(
    assessments: Mapping[str, Assessment], choice: Choice, source: str = "", rest: WithoutClock | None = None
) -> list[str]:
    """List the limitations of the metrics of the best model; empty if there are none.

    Parameters
    ----------
    assessments : mapping
        Family → assessment; the static thresholds as ``static_threshold``.
    choice : Choice
    source : str
        Where the telemetry is from (``Meta.source``).
    rest : WithoutClock, optional
        Metrics without the incidents that follow the clock, if any.
    """
    best = assessments[choice.best]
    found = best.evaluation.figures
    notes = [
        _few_incidents(best.evaluation),
        _false_alarms(found, best.choice.budget),
        best.choice.note,
        _not_alone(choice),
        _guess(best.evaluation),
        near_perfect(found, source),
        _baseline(assessments, choice.best),
        no_better_than_clock(assessments, choice.best),
        no_better_than_deviations(assessments, choice.best),
        clock_incidents(rest, choice.best, found),
        _blind(best.evaluation),
        _calibration(best.evaluation),
    ]
    return [sentence for sentence in notes if sentence]


def _few_incidents(evaluation: Evaluation) -> str:
    found = evaluation.figures
    if not 0 < found.incidents < _FEW:
        return ""
    between = recall_range(evaluation)
    interval = f" (95%: {between})" if between else ""
    held = f"The test split holds {counted(found.incidents, 'incident')}"
    return f"{held}: a single one moves the event recall by {number(100 / found.incidents, 2)} points{interval}."


def _false_alarms(found: Figures, budget: float) -> str:
    if not found.device_days > 0:
        return "The test split holds no observed healthy time: it shows nothing about false alarms."
    bound = poisson_upper_bound(found.false_alarms) / found.device_days
    seen = f"The {number(found.device_days)} device-days of test hold {counted(found.false_alarms, 'false alarm')}"
    allowed = f"the budget is {budget * 7:.2g}"
    if found.false_alarms > budget * found.device_days:
        return (
            f"{seen}: {number(found.false_alarms / found.device_days * 7, 2)} per device and week, where {allowed}."
        )
    if bound <= budget or budget <= 0:
        return ""
    return f"{seen}, which shows at most {number(bound * 7, 2)} per device and week (95%), where {allowed}."


def _not_alone(choice: Choice) -> str:
    equal = [titled(name) for name, difference in choice.ahead.items() if not difference.better]
    if not equal:
        return ""
    return f"On validation, {titled(choice.best)} is not significantly better than {listed(equal)}."


def _guess(evaluation: Evaluation) -> str:
    interval, base = evaluation.intervals.get("average_precision"), evaluation.figures.base_rate
    if interval is None or not known(interval.low) or interval.low > base:
        return ""
    return (
        "By average precision on the test split, the best model may be no better than a guess: "
        f"the interval begins at {number(interval.low)}, and the base rate is {number(base)}."
    )


def _baseline(assessments: Mapping[str, Assessment], best: str) -> str:
    if BASELINE not in assessments:
        return ""
    mine, other = (assessments[name].evaluation.figures for name in (best, BASELINE))
    if known(other.event_recall) and mine.event_recall < other.event_recall:
        return "Static thresholds warned of more incidents of the test split than the best model."
    if known(other.average_precision) and mine.average_precision <= other.average_precision:
        return "By average precision on the test split the best model is no better than static thresholds."
    return ""


def no_better_than_clock(assessments: Mapping[str, Assessment], best: str) -> str:
    """Return a caution if a model of the time alone ranks as well as the best one; else an empty text."""
    found = _no_better_than(CLOCK, assessments, best)
    if found is None:
        return ""
    return (
        f"The clock alone (time of day, day of the week, age of the telemetry) predicts as well: average precision "
        f"{number(found[0])} on the test split, the best model {number(found[1])}."
    )


def no_better_than_deviations(assessments: Mapping[str, Assessment], best: str) -> str:
    """Return a caution if the model without labels ranks as well as the best one; else an empty text."""
    found = _no_better_than(DEVIATIONS, assessments, best)
    if found is None:
        return ""
    return (
        f"The labels do not help yet: average precision {number(found[0])} on the test split without them, "
        f"the best model {number(found[1])}."
    )


def _no_better_than(baseline: str, assessments: Mapping[str, Assessment], best: str) -> tuple[float, float] | None:
    """Return the average precision of a baseline and of the best model, if that is no better; else None."""
    if baseline not in assessments:
        return None
    other, mine = (assessments[name].evaluation.figures.average_precision for name in (baseline, best))
    return (other, mine) if known(mine) and known(other) and mine <= other else None


def clock_incidents(rest: WithoutClock | None, best: str, found: Figures) -> str:
    """Return the average precision without the incidents at regular times; empty if there are none."""
    if rest is None:
        return ""
    without = rest.figures[best].average_precision
    left = f"average precision {number(without)}" if known(without) else "no basis for an evaluation"
    return f"{rest.sentence()}: without them {left} ({number(found.average_precision)} with them)."


def _blind(evaluation: Evaluation) -> str:
    blind = [titled(name) for name, found in evaluation.groups.get("scenario", {}).items() if _none_warned(found)]
    return f"No incident of these kinds was warned of: {listed(blind)}." if blind else ""


def _none_warned(found: Figures) -> bool:
    return found.incidents > 0 and found.incidents_warned == 0


def _calibration(evaluation: Evaluation) -> str:
    error = evaluation.reliability.expected_calibration_error
    if not known(error) or error <= _TOO_SURE:
        return ""
    raw = evaluation.uncalibrated
    off = f"{'Probabilities' if raw else 'Risks'} are {number(error)} off on average"
    if raw and raw.expected_calibration_error < error:
        before = number(raw.expected_calibration_error)
        off += (
            f", and the risks were {before} before they were calibrated on validation, whose incidents were others"
        )
    return f"{off}: read them as a ranking, not as probabilities."
