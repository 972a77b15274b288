"""Evaluation that an operator believes: by sample, by alert and incident, by group, with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from netops.alerting.matching import MISSED
from netops.alerting.outcomes import (
    EvaluationSplit,
    Outcomes,
    Rates,
    candidates,
    outcomes,
    rates,
    rates_by_threshold,
)
from netops.alerting.policy import AlertPolicy
from netops.alerting.resampling import TIMES, Interval, interval
from netops.alerting.sequences import Floats
from netops.config.durations import SECOND
from netops.evaluation.calibration import Reliability, reliability, resampled
from netops.evaluation.ranking import Ranking
from netops.json_types import Json
from netops.models.card_sections import EvaluationValues

#: Figures are not broken down by attributes with more values than this.
MOST_GROUPS = 60
_POINTS = 200
#: The figures by event that incidents alone decide.
_BY_INCIDENT = ("event_recall", "median_lead_seconds")
#: Quantiles of the distribution of lead times at a threshold.
LEAD_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Figures:
    """Metrics of a split or of a group of it; undefined ones are NaN.

    Attributes
    ----------
    samples, positives : int
        Labelled samples, and those with label 1.
    base_rate, average_precision, roc_auc : float
        The fraction of positives is the average precision of a random guess.
    incidents, incidents_warned : int
        That could be warned of, and that were.
    true_alerts, false_alarms, alerts_inside_incident : int
        Alerts by outcome; the last are neither true nor false.
    device_days : float
        Observed healthy time.
    event_recall, precision, false_alarms_per_device_day, median_lead_seconds : float
        By incident and alert.
    """

    samples: int
    positives: int
    base_rate: float
    average_precision: float
    roc_auc: float
    incidents: int
    incidents_warned: int
    true_alerts: int
    false_alarms: int
    alerts_inside_incident: int
    device_days: float
    event_recall: float
    precision: float
    false_alarms_per_device_day: float
    median_lead_seconds: float


@dataclass(frozen=True)
class Curve:
    """Event figures at every threshold, falling thresholds.

    Attributes
    ----------
    threshold, event_recall, false_alarms_per_device_day, precision, median_lead_seconds : float64 arrays, T
    lead_quantiles : float64 array, T × 5
        Quantiles ``LEAD_SHARES`` of the lead times of predicted incidents, in seconds.
    """

    threshold: Floats
    event_recall: Floats
    false_alarms_per_device_day: Floats
    precision: Floats
    median_lead_seconds: Floats
    lead_quantiles: Floats

    @classmethod
    def of(cls, split: EvaluationSplit, risks: Floats, policy: AlertPolicy) -> "Curve":
        """Run the alerts at each candidate threshold and at the one in service."""
        thresholds = candidates(split, risks)
        if np.isfinite(policy.threshold):
            thresholds = np.unique(np.append(thresholds, policy.threshold))[::-1].copy()
        found = outcomes(split, risks, policy, thresholds)
        each = rates_by_threshold(split, found)
        leads = np.array([_quantiles(lead[split.observed]) for lead in found.lead])
        return cls(
            thresholds,
            each.event_recall,
            each.false_alarms_per_device_day,
            each.precision,
            each.median_lead_seconds,
            leads,
        )


@dataclass(frozen=True)
class Confusion:
    """Labelled samples by label and by whether their risk reaches the threshold."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


@dataclass(frozen=True)
class Evaluation:
    """Evaluation of risks over a split.

    Attributes
    ----------
    threshold : float
        The one in service.
    figures : Figures
        Of the whole split at the threshold.
    intervals : dict
        Name of a figure → its 95% bootstrap interval over devices and incidents.
    reliability : Reliability
        Of the probabilities, or of the risks without calibration.
    confusion : Confusion
        By sample.
    lead_seconds : float64 array
        Lead times of the predicted incidents.
    curve : Curve
        False alarms against recall.
    recall, sample_precision : float64 arrays
        The precision-recall curve by sample, at most 200 points.
    groups : dict
        ``scenario`` or an attribute → value → Figures. A scenario owns incidents, no samples or false alarms.
    group_intervals : dict
        The same keys → name of a figure by event → its 95% interval.
    uncalibrated : Reliability or None
        Of the uncalibrated risks, if ``reliability`` is that of probabilities.
    """

    threshold: float
    figures: Figures
    intervals: dict[str, Interval]
    reliability: Reliability
    confusion: Confusion
    lead_seconds: Floats
    curve: Curve
    recall: Floats
    sample_precision: Floats
    groups: dict[str, dict[str, Figures]]
    group_intervals: dict[str, dict[str, dict[str, Interval]]]
    uncalibrated: Reliability | None = None

    def to_dict(self) -> EvaluationValues:
        """Return all figures as JSON-compatible values; the main figures at the top level, unknown ones None."""
        figures = {field.name: _plain(getattr(self.figures, field.name)) for field in fields(self.figures)}
        figures["threshold"] = self.threshold
        figures["brier"] = _plain(self.reliability.brier)
        figures["expected_calibration_error"] = _plain(self.reliability.expected_calibration_error)
        figures["calibration_error_at_risk"] = _plain(self.reliability.calibration_error_at_risk)
        names = (
            "intervals",
            "reliability",
            "confusion",
            "lead_seconds",
            "curve",
            "recall",
            "sample_precision",
            "groups",
            "group_intervals",
            "uncalibrated",
        )
        return cast(EvaluationValues, figures | {name: _plain(getattr(self, name)) for name in names})


def evaluate(
    split: EvaluationSplit,
    risks: Floats,
    policy: AlertPolicy,
    *,
    probabilities: Floats | None = None,
    seed: int = 0,
    resamples: int = TIMES,
) -> Evaluation:
    """Evaluate risks.

    Parameters
    ----------
    part : Part
        The samples, their labels and the incidents.
    risks : float64 array, rows of the part
        NaN where a sample was not scored. Risks inside incidents are ignored.
    policy : AlertPolicy
        With the threshold in service.
    probabilities : float64 array, rows, optional
        Calibrated risks, for Brier score and reliability; the risks themselves if absent.
    seed, resamples : int
        Of the bootstrap.
    """
    risks = np.asarray(risks, dtype=np.float64)
    reported = risks if probabilities is None else np.asarray(probabilities, dtype=np.float64)
    means = reliability(reported, split.labels)
    ranking = Ranking.of(risks, split.labels, split.periods.of_row)
    at = outcomes(split, risks, policy, np.array([policy.threshold]))
    everything, weights = np.ones(len(split.periods)), split.periods.weights(seed, resamples)
    return Evaluation(
        policy.threshold,
        _figures(split, ranking, at, everything, everything[split.period_of_incident]),
        _intervals(split, ranking, at, weights) | _calibration_intervals(split, reported, means, weights),
        means,
        _confusion(split.labels, risks, policy.threshold),
        _leads(split, at),
        Curve.of(split, risks, policy),
        *_precision_recall(ranking),
        *_groups(split, ranking, at, weights),
        uncalibrated=None if probabilities is None else reliability(risks, split.labels),
    )


def _figures(
    split: EvaluationSplit, ranking: Ranking, at: Outcomes, weights: Floats, of_incident: Floats
) -> Figures:
    """Figures of the periods and incidents with weight 1 (others have weight 0)."""
    labels, unit = split.labels, split.periods.of_row
    samples = int(weights[unit] @ (labels >= 0))
    positives = int(weights[unit] @ (labels == 1))
    average_precision, roc_auc = ranking.figures(weights)
    counted = split.observed & (of_incident > 0)
    warned = counted & (at.lead[0] != MISSED)
    true, false = int(weights @ at.true[0]), int(weights @ at.false[0])
    days = float(weights @ split.device_days)
    leads = at.lead[0][warned] / SECOND
    return Figures(
        samples=samples,
        positives=positives,
        base_rate=_fraction(positives, samples),
        average_precision=average_precision,
        roc_auc=roc_auc,
        incidents=int(counted.sum()),
        incidents_warned=int(warned.sum()),
        true_alerts=true,
        false_alarms=false,
        alerts_inside_incident=int(weights @ at.neither[0]),
        device_days=days,
        event_recall=_fraction(int(warned.sum()), int(counted.sum())),
        precision=_fraction(true, true + false),
        false_alarms_per_device_day=_fraction(false, days),
        median_lead_seconds=float(np.median(leads)) if len(leads) else float("nan"),
    )


def _intervals(
    split: EvaluationSplit, ranking: Ranking, at: Outcomes, weights: npt.NDArray[np.float64]
) -> dict[str, Interval]:
    by_sample, by_event = ranking.resampled(weights), rates(split, at, weights, 0)
    values = {"average_precision": by_sample[:, 0], "roc_auc": by_sample[:, 1]}
    return {name: interval(figures) for name, figures in (values | _by_name(by_event)).items()}


def _calibration_intervals(
    split: EvaluationSplit, probabilities: Floats, found: Reliability, weights: npt.NDArray[np.float64]
) -> dict[str, Interval]:
    brier, error = (
        interval(figures) for figures in resampled(probabilities, split.labels, split.periods.of_row, weights)
    )
    # Chance only increases a mean of absolute differences: its interval is biased upwards.
    lowest = min(error.low, found.expected_calibration_error)
    return {"brier": brier, "expected_calibration_error": Interval(lowest, error.high)}


def _by_name(found: Rates) -> dict[str, Floats]:
    return {name: getattr(found, name) for name in Rates.__dataclass_fields__}


def _groups(
    split: EvaluationSplit, ranking: Ranking, at: Outcomes, weights: npt.NDArray[np.float64]
) -> tuple[dict[str, dict[str, Figures]], dict[str, dict[str, dict[str, Interval]]]]:
    """Break the figures down by scenario (a group of incidents) and by attribute (a group of periods)."""
    groups: dict[str, dict[str, Figures]] = {}
    intervals: dict[str, dict[str, dict[str, Interval]]] = {}
    everything, nothing = (np.full(len(split.periods), weight) for weight in (1.0, 0.0))
    for kind, members in _members(split).items():
        groups[kind], intervals[kind] = {}, {}
        for name, (periods, incidents) in members.items():
            owned = nothing if periods is None else periods
            groups[kind][name] = _figures(split, ranking, at, owned, incidents)
            drawn = weights * (everything if periods is None else periods)
            found = _by_name(rates(split, at, drawn, 0, incidents))
            reported = found if periods is not None else {name: found[name] for name in _BY_INCIDENT}
            intervals[kind][name] = {name: interval(figures) for name, figures in reported.items()}
    return groups, intervals


def _members(split: EvaluationSplit) -> dict[str, dict[str, tuple[Floats | None, Floats]]]:
    """List the groups: weights 0 and 1 of periods (None if it has none) and of incidents."""
    found: dict[str, dict[str, tuple[Floats | None, Floats]]] = {}
    scenarios = np.asarray(split.incidents.scenario, dtype=object)
    if known := sorted({name for name in split.incidents.scenario if name}):
        found["scenario"] = {name: (None, (scenarios == name).astype(np.float64)) for name in known}
    device_of = np.repeat(np.arange(len(split.sequences.devices)), np.diff(split.periods.first))
    for attribute, values in split.attributes.items():
        value_of_period = np.asarray(values, dtype=object)[device_of]
        named = sorted({str(value) for value in values if value is not None})
        if 1 < len(named) <= MOST_GROUPS:
            each = {name: (value_of_period == name).astype(np.float64) for name in named}
            found[attribute] = {name: (mine, mine[split.period_of_incident]) for name, mine in each.items()}
    return found


def _leads(split: EvaluationSplit, at: Outcomes) -> Floats:
    return _seconds(at.lead[0][split.observed])


def _seconds(lead: npt.NDArray[np.int64]) -> Floats:
    return lead[lead != MISSED] / SECOND


def _quantiles(lead: npt.NDArray[np.int64]) -> Floats:
    seconds = _seconds(lead)
    return np.quantile(seconds, LEAD_SHARES) if len(seconds) else np.full(len(LEAD_SHARES), np.nan)


def _confusion(labels: npt.NDArray[np.int8], risks: Floats, threshold: float) -> Confusion:
    reached = risks >= threshold
    return Confusion(
        int(((labels == 1) & reached).sum()),
        int(((labels == 0) & reached).sum()),
        int(((labels == 1) & ~reached).sum()),
        int(((labels == 0) & ~reached).sum()),
    )


def _precision_recall(ranking: Ranking) -> tuple[Floats, Floats]:
    hits, ends = np.cumsum(ranking.positive), np.flatnonzero(ranking.last_of_tie)
    if len(ends) == 0 or hits[-1] == 0:
        return np.zeros(0), np.zeros(0)
    recall, precision = hits[ends] / hits[-1], hits[ends] / (ends + 1)
    # Points at equal steps of recall; at each, the index where that recall is first reached.
    indices = np.unique(np.searchsorted(recall, np.linspace(recall[0], 1, _POINTS)))
    return recall[indices], precision[indices]


def _fraction(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


def _plain(value: object) -> Json:
    """Convert dataclasses and arrays to JSON-compatible values; NaN becomes None."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, list, tuple)):
        return [_plain(item) for item in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return cast(Json, value)
