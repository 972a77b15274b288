"""Concept drift: detect a loss of accuracy from incidents and alerts with a known outcome.

There is one outcome per incident and one per alert, not per sample, because the samples before one incident are
correlated. A detector first processes the outcomes of the model's test split, so that it also detects a model that
is worse from the first day on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb
from typing import Protocol

import numpy as np

from netops.alerting.alerts import open_alerts
from netops.alerting.matching import FALSE, MISSED, NEITHER, match
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Flags, Floats, Incidents, Integers, Sequences
from netops.models.card_sections import EvaluationValues

#: Names of the outcome streams.
MISSED_INCIDENTS, FALSE_ALARMS = "missed incidents", "false alarms"
#: Maximum outcomes of the test split that a detector processes first, and outcomes used for the current rate.
_PRIMER, _LATEST = 200, 50
#: Minimum outcomes of the test split; with fewer, that many first outcomes of the stream replace it.
_MIN_OUTCOMES, _FIRST = 10, 60
#: Outcomes a detector processes before it may signal drift.
_WARM = 30
#: Significance level at which the latest outcomes must confirm a detector's signal.
_SIGNIFICANCE = 0.001


@dataclass(frozen=True)
class Outcomes:
    """A stream of outcomes in order of time.

    Attributes
    ----------
    name : str
        ``missed incidents`` or ``false alarms``.
    times : int64 array
        Nanoseconds since the epoch.
    wrong : bool array
    """

    name: str
    times: Integers
    wrong: Flags


@dataclass(frozen=True)
class Concept:
    """Result of a detector for a stream of outcomes.

    Attributes
    ----------
    name : str
    outcomes : int
        Number of outcomes.
    before, now : float or None
        Error rate in the test split, and in the latest outcomes; None if there are no outcomes.
    since : int or None
        Time at which drift was detected, in nanoseconds since the epoch.
    """

    name: str
    outcomes: int
    before: float | None
    now: float | None
    since: int | None


class Detector(Protocol):
    """The interface of river's detectors."""

    @property
    def drift_detected(self) -> bool:
        """Whether the last value signalled drift."""

    def update(self, x: bool) -> object:
        """Process one outcome."""


def outcomes(
    sequences: Sequences,
    incidents: Incidents,
    risks: Floats,
    policy: AlertPolicy,
    horizon: int,
    left_out: Flags | None = None,
) -> list[Outcomes]:
    """Return the outcomes of incidents and alerts.

    Parameters
    ----------
    sequences : Sequences
        Every sample.
    incidents : Incidents
    risks : float64 array, rows
        NaN inside incidents.
    policy : AlertPolicy
    horizon : int
        Nanoseconds. Alerts have no outcome until the horizon after them has passed.
    left_out : bool array, rows, optional
        Excluded rows, which are known only from feedback on an alert: an alert there has no outcome.
    """
    inside = incidents.inside(sequences)
    failed = inside if left_out is None else inside | left_out
    alerts = open_alerts(policy, sequences.offsets, sequences.timestamps, risks, failed)
    matching = match(alerts, incidents, horizon)
    seen = incidents.observed(sequences, horizon)
    over = (matching.kind != NEITHER) & (alerts.opened + horizon <= sequences.timestamps.max(initial=0))
    return [
        _in_order(MISSED_INCIDENTS, incidents.start[seen], matching.lead[seen] == MISSED),
        _in_order(FALSE_ALARMS, alerts.opened[over], matching.kind[over] == FALSE),
    ]


def _in_order(name: str, times: Integers, wrong: Flags) -> Outcomes:
    order = np.argsort(times, kind="stable")
    return Outcomes(name, times[order], wrong[order])


def detect_drift(stream: Outcomes, evaluation: EvaluationValues) -> Concept:
    """Run a detector on a stream of outcomes.

    Parameters
    ----------
    stream : Outcomes
    evaluation : mapping
        Metrics of the test split, from the model card. If it has too few outcomes, the first ones of the stream
        replace them.
    """
    wrong, total = _of_test_split(stream.name, evaluation)
    before = wrong / total if total >= _MIN_OUTCOMES else None
    latest = stream.wrong[-_LATEST:]
    now = float(latest.mean()) if len(latest) else None
    first = 0
    if before is None:
        first = min(_FIRST, len(stream.wrong))
        wrong, total = int(stream.wrong[:first].sum()), first
    since = _since(stream, first, wrong, total)
    return Concept(stream.name, len(stream.wrong), before, now, since)


def _of_test_split(name: str, evaluation: EvaluationValues) -> tuple[int, int]:
    if name == MISSED_INCIDENTS:
        total = int(evaluation.get("incidents") or 0)
        return total - int(evaluation.get("incidents_warned") or 0), total
    wrong = int(evaluation.get("false_alarms") or 0)
    return wrong, wrong + int(evaluation.get("true_alerts") or 0)


def _since(stream: Outcomes, first: int, wrong: int, total: int) -> int | None:
    """Return when the outcomes from ``first`` on became worse than ``wrong`` of ``total``, or None."""
    # Laplace's rule of succession: a split without errors does not mean an error rate of 0.
    rate = (wrong + 1) / (total + 2)
    made = make_detector()
    for outcome in _evenly(rate, min(max(total, _WARM), _PRIMER)):
        made.update(outcome)
    alarm = False
    watched = stream.wrong[first:]
    for index, outcome in enumerate(watched.tolist(), start=1):
        made.update(outcome)
        alarm |= made.drift_detected
        if alarm and _p_value(wrong, total, watched[max(0, index - _LATEST) : index]) < _SIGNIFICANCE:
            return int(stream.times[first + index - 1])
    return None


def _p_value(wrong: int, total: int, latest: Flags) -> float:
    """Return the p-value of the errors among the latest outcomes (Fisher's exact test).

    Detectors assume many outcomes: with few errors they signal drift after two or three, and some also when the
    model has improved.
    """
    now, count = int(latest.sum()), len(latest)
    ways = [comb(wrong + now, k) * comb(total + count - wrong - now, count - k) for k in range(now, count + 1)]
    return sum(ways) / comb(total + count, count)


def _evenly(rate: float, count: int) -> Iterator[bool]:
    """Yield outcomes with evenly spaced errors, since the order in the test split is not stored."""
    yield from (((index + 1) * rate + 0.5) // 1 > (index * rate + 0.5) // 1 for index in range(count))


def make_detector() -> Detector:
    """Create the detector (DDM; Gama et al. 2004).

    On 100 streams of 600 outcomes without drift it raises no alarm. A rise from 1 in 15 to 2 in 5 is found after 26
    outcomes in the median (Page-Hinkley 25, EDDM 40, ADWIN 70), one to 1 in 5 in 66 of 100 streams (64, 55, 5).
    """
    # Importing river.drift avoids most of the import time of river.
    from river.drift.binary import DDM

    return DDM(warm_start=_WARM, drift_threshold=3.0)
