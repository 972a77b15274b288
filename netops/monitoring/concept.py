"""Concept drift: whether the model is as right as it was, told by incidents and alerts whose outcome is known.

Outcomes are taken one an incident and one an alert, not one a sample: the samples before one incident are right or
wrong together. A detector first sees the outcomes of the model's test part, so that a model that is worse from the
first day on is found too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import comb
from typing import Any, Protocol

import numpy as np

from netops.alerting.alerts import open_alerts
from netops.alerting.matching import FALSE, MISSED, NEITHER, match
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Flags, Floats, Incidents, Integers, Sequences

#: What the streams are called, and the figures of the test part that tell how many were wrong and how many right.
MISSED_INCIDENTS, FALSE_ALARMS = "missed incidents", "false alarms"
#: Outcomes of the test part that a detector sees first, at most; and those that the present rate is of.
_PRIMER, _LATEST = 200, 50
#: With fewer outcomes the test part says nothing; so many of the stream then take its place.
_LEAST, _FIRST = 10, 60
#: What a detector has seen before it says something.
_WARM = 30
#: A detector's alarm counts once the latest outcomes are worse than chance allows at this level.
_SURE = 0.001


@dataclass(frozen=True)
class Outcomes:
    """Outcomes in the order in which they became known.

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
    """What a detector says of a stream of outcomes.

    Attributes
    ----------
    name : str
    outcomes : int
        How many there were.
    before, now : float or None
        Share that was wrong in the test part, and among the latest; None where there is none.
    since : int or None
        When drift was found, nanoseconds since the epoch.
    """

    name: str
    outcomes: int
    before: float | None
    now: float | None
    since: int | None


class Detector(Protocol):
    """What river's detectors have in common."""

    @property
    def drift_detected(self) -> bool:
        """Whether the last value made it certain."""

    def update(self, x: Any) -> Any:
        """See one more outcome."""


def outcomes(
    sequences: Sequences,
    incidents: Incidents,
    risks: Floats,
    policy: AlertPolicy,
    horizon: int,
    left_out: Flags | None = None,
) -> list[Outcomes]:
    """Say what became of incidents and alerts.

    Parameters
    ----------
    sequences : Sequences
        Every sample.
    incidents : Incidents
    risks : float64 array, rows
        NaN inside incidents.
    policy : AlertPolicy
    horizon : int
        Nanoseconds. Alerts whose next horizon is not over have no outcome yet.
    left_out : bool array, rows, optional
        Rows of which only a verdict on an alert tells what they were: an alert there is neither right nor wrong.
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


def watch(stream: Outcomes, evaluation: Mapping[str, Any], detector: str) -> Concept:
    """Let a detector see the outcomes.

    Parameters
    ----------
    stream : Outcomes
    evaluation : mapping
        Figures of the test part, from the model card. Where it holds too few outcomes, the first ones of the stream
        take their place.
    detector : str
        ``ddm`` (Gama et al. 2004), ``eddm`` (Baena-García et al. 2006), ``page_hinkley`` (Page 1954) or ``adwin``
        (Bifet and Gavaldà 2007).
    """
    wrong, total = _of_test_part(stream.name, evaluation)
    before = wrong / total if total >= _LEAST else None
    latest = stream.wrong[-_LATEST:]
    now = float(latest.mean()) if len(latest) else None
    first = 0
    if before is None:
        first = min(_FIRST, len(stream.wrong))
        wrong, total = int(stream.wrong[:first].sum()), first
    since = _since(stream, first, wrong, total, detector)
    return Concept(stream.name, len(stream.wrong), before, now, since)


def _of_test_part(name: str, evaluation: Mapping[str, Any]) -> tuple[int, int]:
    if name == MISSED_INCIDENTS:
        total = int(evaluation.get("incidents") or 0)
        return total - int(evaluation.get("incidents_warned") or 0), total
    wrong = int(evaluation.get("false_alarms") or 0)
    return wrong, wrong + int(evaluation.get("true_alerts") or 0)


def _since(stream: Outcomes, first: int, wrong: int, total: int, detector: str) -> int | None:
    """Say when the outcomes from ``first`` on got worse than ``wrong`` of ``total``."""
    # Laplace's rule: a part without a wrong outcome does not promise that there will never be one.
    rate = (wrong + 1) / (total + 2)
    made = make_detector(detector, rate)
    for outcome in _evenly(rate, min(max(total, _WARM), _PRIMER)):
        made.update(outcome)
    alarm = False
    watched = stream.wrong[first:]
    for index, outcome in enumerate(watched.tolist(), start=1):
        made.update(outcome)
        alarm |= made.drift_detected
        if alarm and _chance(wrong, total, watched[max(0, index - _LATEST) : index]) < _SURE:
            return int(stream.times[first + index - 1])
    return None


def _chance(wrong: int, total: int, latest: Flags) -> float:
    """Give the chance of as many wrong ones among the latest, were they no worse (Fisher's exact test).

    Detectors take outcomes for many: where few are wrong they raise alarms on two or three, and some also where a
    model has become better.
    """
    now, count = int(latest.sum()), len(latest)
    ways = [comb(wrong + now, k) * comb(total + count - wrong - now, count - k) for k in range(now, count + 1)]
    return sum(ways) / comb(total + count, count)


def _evenly(rate: float, count: int) -> Iterator[bool]:
    """Spread wrong outcomes evenly, as the order of those in the test part is not kept."""
    yield from (((index + 1) * rate + 0.5) // 1 > (index * rate + 0.5) // 1 for index in range(count))


def make_detector(name: str, rate: float) -> Detector:
    """Make a detector for outcomes of which a share is wrong.

    The parameters were chosen so that at most a few of 100 streams of 400 outcomes without drift raise an alarm.
    """
    # river.drift alone takes most of the import of river; nothing else of it is used.
    from river.drift import ADWIN, PageHinkley
    from river.drift.binary import DDM, EDDM

    if name == "ddm":
        return DDM(warm_start=_WARM, drift_threshold=3.0)
    if name == "eddm":
        return EDDM(warm_start=_WARM, beta=0.8)
    if name == "adwin":
        adwin: Detector = ADWIN(delta=0.1, clock=1, grace_period=10, min_window_length=5)  # type: ignore[no-untyped-call]
        return adwin
    return _Standardised(PageHinkley(min_instances=_WARM, delta=0.25, threshold=20.0, mode="up", alpha=1.0), rate)


class _Standardised:
    """Page-Hinkley on outcomes in units of their standard deviation, so that its threshold fits every rate."""

    def __init__(self, detector: Detector, rate: float) -> None:
        self._detector = detector
        self._mean = rate
        self._deviation = (self._mean * (1 - self._mean)) ** 0.5

    @property
    def drift_detected(self) -> bool:
        return self._detector.drift_detected

    def update(self, x: bool) -> None:
        self._detector.update((x - self._mean) / self._deviation)
