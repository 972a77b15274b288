"""Which horizons and splits would work, and how many incidents each split would hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from netops.config.durations import SECOND, format_duration
from netops.errors import NetopsError
from netops.evaluation.report.facts import Log
from netops.telemetry.dataset import Dataset
from netops.training.labelled import Labelled, label
from netops.training.splits import TEST, TRAIN, VALIDATION

_KINDS = ("time", "device")
# Horizons in sampling intervals that are tried beside the one that is configured.
_INTERVALS = (12, 60, 360)


@dataclass(frozen=True)
class Plan:
    """One way to hold out validation and test.

    Attributes
    ----------
    split : str
        ``time`` or ``device``.
    horizon : int
        Nanoseconds.
    incidents : tuple of int
        Incidents that can be warned of in training, validation and test; empty where it does not work.
    why_not : str
        Why it does not work.
    log : Log or None
        The incidents with their part of the split, to be drawn.
    """

    split: str
    horizon: int
    incidents: tuple[int, ...] = ()
    why_not: str = ""
    log: Log | None = None

    @property
    def works(self) -> bool:
        """Whether training, validation and test can each show something."""
        return bool(self.incidents)

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON takes it."""
        return {
            "split": self.split,
            "horizon_seconds": self.horizon / SECOND,
            "incidents": dict(zip(("training", "validation", "test"), self.incidents, strict=False)) or None,
            "why_not": self.why_not or None,
        }

    def line(self) -> str:
        """Write it as text."""
        start = f"--split {self.split} --horizon {format_duration(self.horizon)}"
        if not self.works:
            return f"{start}: {self.why_not}"
        train, validation, test = self.incidents
        return f"{start}: {train} incidents to learn from, {validation} to choose by, {test} to test on"


def plans(dataset: Dataset, horizon: int, seed: int) -> list[Plan]:
    """Try splits and horizons.

    Parameters
    ----------
    dataset : Dataset
        Telemetry.
    horizon : int
        The configured one, nanoseconds; others are tried where it does not work.
    seed : int
        Of a split by device.

    Returns
    -------
    list of Plan
        Those of the configured horizon, and of others only where none of these works; the first that works is the
        one to take.
    """
    found = _try(dataset, [horizon], seed)
    if not any(plan.works for plan in found):
        interval = dataset.meta.interval_seconds
        others = [max(1, round(interval * count * SECOND)) for count in _INTERVALS]
        found += [plan for plan in _try(dataset, [h for h in others if h != horizon], seed) if plan.works]
    return sorted(found, key=lambda plan: not plan.works)


def _try(dataset: Dataset, horizons: Iterable[int], seed: int) -> list[Plan]:
    return [_plan(dataset, kind, horizon, seed) for horizon in horizons for kind in _KINDS]


def _plan(dataset: Dataset, kind: str, horizon: int, seed: int) -> Plan:
    try:
        labelled = label(dataset, horizon, kind, seed)[0]
    except NetopsError as error:
        return Plan(kind, horizon, why_not=str(error))
    return Plan(kind, horizon, _counts(labelled), log=Log.of(labelled))


def _counts(labelled: Labelled) -> tuple[int, ...]:
    return tuple(int(labelled.part(part).observed.sum()) for part in (TRAIN, VALIDATION, TEST))
