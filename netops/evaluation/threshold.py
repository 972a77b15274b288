"""The threshold of a model: the best recall within the alert budget, on validation."""

from dataclasses import dataclass

import numpy as np

from netops.alerting.outcomes import EvaluationSplit, candidates, outcomes, rates_by_threshold
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Floats, Integers

CONFIDENCE = 0.95
#: Fraction of the alert budget that a threshold below the middle of equal ones may use on validation. Chosen on
#: fifteen networks that no published figure is of (docs/alerting.md).
USED = 0.75


@dataclass(frozen=True)
class ThresholdChoice:
    """A threshold and what validation shows of it.

    Attributes
    ----------
    threshold : float
    event_recall, false_alarms_per_device_day : float
        On validation.
    false_alarms : int
    device_days : float
    upper_bound : float
        The exact Poisson 95% upper bound of false alarms per device-day.
    budget : float
        False alarms per device-day that are bearable.
    note : str
        A sentence if validation is too short to show that the budget is met, else "".
    """

    threshold: float
    event_recall: float
    false_alarms_per_device_day: float
    false_alarms: int
    device_days: float
    upper_bound: float
    budget: float
    note: str


def choose_threshold(split: EvaluationSplit, risks: Floats, policy: AlertPolicy, budget: float) -> ThresholdChoice:
    """Choose the threshold for an alert budget.

    Of the thresholds within the budget, those with the best event recall are equally good on this split. The
    middle one is selected, or the lowest with which one false alarm more would use at most three quarters of the
    budget, if that is lower: it warns earlier, and of weaker precursors. Where nothing is warned of within the
    budget, the lowest threshold within it is taken.

    Parameters
    ----------
    part : Part
        The validation split.
    risks : float64 array, rows of the part
    policy : AlertPolicy
        Everything but the threshold.
    budget : float
        False alarms per device-day.
    """
    thresholds = selective(candidates(split, risks), split, risks)
    found = outcomes(split, risks, policy, thresholds)
    by_threshold = rates_by_threshold(split, found)
    false, days = found.false.sum(axis=1), float(split.device_days.sum())
    within = np.flatnonzero(false <= budget * days)
    recall = np.nan_to_num(by_threshold.event_recall)
    index = lowest_within(within, recall, false, USED * budget * days)
    count = int(false[index])
    return ThresholdChoice(
        threshold=float(thresholds[index]),
        event_recall=float(by_threshold.event_recall[index]),
        false_alarms_per_device_day=float(by_threshold.false_alarms_per_device_day[index]),
        false_alarms=count,
        device_days=days,
        upper_bound=poisson_upper_bound(count) / days if days > 0 else float("nan"),
        budget=budget,
        note=budget_note(count, days, budget),
    )


def poisson_upper_bound(count: int, confidence: float = CONFIDENCE) -> float:
    """Return the exact one-sided upper bound of a Poisson mean after ``count`` events (Garwood 1936)."""
    from scipy.special import gammaincinv

    return float(gammaincinv(count + 1, confidence))


def selective(thresholds: Floats, split: EvaluationSplit, risks: Floats) -> Floats:
    """Exclude thresholds that most healthy samples reach: alerts that never close are few and not informative."""
    usual = np.nanmedian(risks[~split.inside]) if len(risks) else 0.0
    return thresholds[(thresholds > usual) | (np.arange(len(thresholds)) == 0)]


def best_within(within: Integers, recall: Floats) -> int:
    """Choose among the thresholds within a budget (indices): the middle one of those with the best recall."""
    best = recall[within].max()
    if best == 0:
        return int(within[-1])
    equal = within[recall[within] == best]
    return int(equal[(len(equal) - 1) // 2])


def lowest_within(within: Integers, recall: Floats, false: Integers, bearable: float) -> int:
    """Choose the lowest threshold with the best recall that bears one false alarm more; at least the middle one."""
    middle = best_within(within, recall)
    equal = within[recall[within] == recall[middle]]
    lower = equal[(equal > middle) & (false[equal] + 1 <= bearable)]
    return int(lower[-1]) if len(lower) else middle


def budget_note(count: int, days: float, budget: float) -> str:
    """Return what the data can show if they are too few for the budget, else an empty text."""
    if days <= 0:
        return "Validation contains no observed healthy time: false alarms cannot be estimated."
    bound, allowed = poisson_upper_bound(count) / days, budget
    if bound <= allowed or allowed <= 0:
        return ""
    alarms = "no false alarm" if count == 0 else f"{count} false alarm{'s' if count > 1 else ''}"
    seen = f"{alarms} in the {days:.3g} device-days of validation show{'' if count > 1 else 's'}"
    shown = f"{seen} at most {bound * 7:.2g} per device and week (95%), where the budget is {allowed * 7:.2g}"
    needed = poisson_upper_bound(0) / allowed
    few = f"; to show the budget takes {needed:.3g} device-days without any" if days < needed else ""
    return shown[0].upper() + shown[1:] + few + "."
