"""Confidence intervals in words; if resampling is not possible, the exact one-sided bound."""

from netops.alerting.resampling import Interval
from netops.evaluation.evaluate import Figures
from netops.evaluation.report.words import number, percent, spread
from netops.evaluation.threshold import CONFIDENCE, poisson_upper_bound


def recall_between(found: Figures, interval: Interval | None) -> str:
    """Return the 95% confidence interval of the event recall.

    If all or none of the incidents were predicted, resampling gives no interval; the exact one-sided bound
    (Clopper and Pearson 1934) is given.
    """
    if not found.incidents:
        return ""
    bound = (1 - CONFIDENCE) ** (1 / found.incidents)
    if found.incidents_warned == 0:
        return f"at most {percent(1 - bound)}"
    if found.incidents_warned == found.incidents:
        return f"at least {percent(bound)}"
    return spread(interval, percent)


def alarms_between(found: Figures, interval: Interval | None) -> str:
    """Return the 95% confidence interval of the false alarms per device-day.

    If there was none, resampling is not informative, and the exact bound (Garwood 1936) is returned.
    """
    if not found.device_days > 0:
        return ""
    if found.false_alarms == 0:
        return f"at most {number(poisson_upper_bound(0) / found.device_days)}"
    return spread(interval)
