"""The threshold of a model without labels: it is unknown which of its alerts are false.

Two thresholds keep to the alert budget, the lower one is chosen:

- *measured*: all alerts of validation together are within the budget, so that no more can be false;
- *extended*: usual variation alone is expected to raise as many alerts as the budget allows. Alerts at levels that
  a tenth to a fiftieth of the samples reach are mostly usual variation. The logarithm of their rate is a falling
  line over the log-odds (an exponential tail, Pickands 1975), which is extended to the budget. Failures are too
  rare to matter at these levels: they do not raise this threshold, as they do the measured one.
"""

from dataclasses import dataclass

import numpy as np

from netops.alerting.outcomes import EvaluationSplit, candidates, outcomes
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Floats
from netops.evaluation.threshold import budget_note

#: Fractions of the samples that reach the levels of the line, and how many levels there are.
TAIL, LEVELS = (0.1, 0.02), 12
MEASURED, EXTENDED = "measured", "extended"


@dataclass(frozen=True)
class UnlabelledChoice:
    """A threshold and what validation shows of it.

    Attributes
    ----------
    threshold : float
    chosen_by : str
        ``measured`` or ``extended``.
    alerts : int
        On validation, true and false ones.
    device_days : float
    alerts_per_device_day : float
    budget : float
        False alarms per device-day that are bearable.
    note : str
        What that means, in a sentence.
    """

    threshold: float
    chosen_by: str
    alerts: int
    device_days: float
    alerts_per_device_day: float
    budget: float
    note: str


def choose_without_labels(
    split: EvaluationSplit, risks: Floats, policy: AlertPolicy, budget: float
) -> UnlabelledChoice:
    """Choose the threshold for an alert budget without labels.

    Parameters
    ----------
    split : EvaluationSplit
        The validation split, without incidents.
    risks : float64 array, rows of the split
        In 0..1.
    policy : AlertPolicy
        Everything but the threshold.
    budget : float
        False alarms per device-day.
    """
    days = float(split.device_days.sum())
    levels = _levels(risks)
    measured = _measured(split, risks, policy, budget * days, float(levels[-1]))
    extended = _extended(levels, alert_counts(split, risks, policy, levels), budget * days)
    threshold = max(min(measured, extended), float(levels[-1]))
    alerts = int(alert_counts(split, risks, policy, np.array([threshold]))[0])
    chosen_by = MEASURED if alerts <= budget * days else EXTENDED
    rate = alerts / days if days > 0 else float("nan")
    note = _note(chosen_by, alerts, days, budget)
    return UnlabelledChoice(threshold, chosen_by, alerts, days, rate, budget, note)


def alert_counts(split: EvaluationSplit, risks: Floats, policy: AlertPolicy, thresholds: Floats) -> Floats:
    """Count the alerts at each threshold."""
    found = outcomes(split, risks, policy, thresholds)
    return (found.false + found.true + found.neither).sum(axis=1).astype(np.float64)


def _levels(risks: Floats) -> Floats:
    """Return the levels of the line, falling; the last is the lowest threshold that is chosen."""
    known = risks[np.isfinite(risks)]
    if not len(known):
        return np.ones(1)
    return np.unique(np.quantile(known, 1 - np.geomspace(*TAIL, LEVELS)))[::-1].copy()


def _measured(split: EvaluationSplit, risks: Floats, policy: AlertPolicy, allowed: float, lowest: float) -> float:
    """Find the lowest threshold from which on all alerts together are within the budget."""
    thresholds = candidates(split, risks)
    thresholds = thresholds[thresholds >= lowest] if (thresholds >= lowest).any() else thresholds[:1]
    beyond = np.flatnonzero(alert_counts(split, risks, policy, thresholds) > allowed)
    return float(thresholds[max(int(beyond[0]) - 1, 0)] if len(beyond) else thresholds[-1])


def _extended(levels: Floats, counts: Floats, allowed: float) -> float:
    """Extend the line through the logarithms of the counts; each weighs as much as it is certain (Poisson)."""
    some = (counts > 0) & (levels > 0) & (levels < 1)
    if some.sum() < 3 or allowed <= 0:
        return float("inf")
    odds, logs = _log_odds(levels[some]), np.log(counts[some])
    slope, intercept = np.polyfit(odds, logs, 1, w=np.sqrt(counts[some]))
    if not slope < 0:
        return float("inf")
    return float(1 / (1 + np.exp(-np.clip((np.log(allowed) - intercept) / slope, -500.0, 500.0))))


def _log_odds(risks: Floats) -> Floats:
    return np.log(risks / (1 - risks))


def _note(chosen_by: str, alerts: int, days: float, budget: float) -> str:
    seen = f"{alerts:,} alert{'' if alerts == 1 else 's'} in {days:.3g} device-days of validation"
    weekly = f"{budget * 7:.3g}"
    allowed = f"{weekly} false alarm{'' if weekly == '1' else 's'} per device and week"
    if chosen_by == MEASURED:
        text = f"No labels: all alerts count as false. {seen}, within the budget of {allowed}."
        return " ".join(filter(None, (text, budget_note(alerts, days, budget))))
    return (
        f"No labels: {seen}, all of them false at worst. Usual variation alone is expected to use up the budget of "
        f"{allowed}; alerts beyond it are unusual, not necessarily failures."
    )
