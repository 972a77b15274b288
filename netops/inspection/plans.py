"""Find horizons and splits with which training works, and count the incidents of each split."""

from collections.abc import Iterable
from dataclasses import dataclass

from netops.config.durations import SECOND, format_duration
from netops.errors import NetopsError
from netops.evaluation.report.facts import Log
from netops.telemetry.dataset import Dataset
from netops.training.labelled import Labelled, label
from netops.training.splits import TEST, TRAIN, VALIDATION

_KINDS = ("time", "device")
# Horizons, in sampling intervals, that are tried if the configured one does not work.
_INTERVALS = (12, 60, 360)


@dataclass(frozen=True)
class Plan:
    """A combination of split and horizon.

    Attributes
    ----------
    split : str
        ``time`` or ``device``.
    horizon : int
        Nanoseconds.
    incidents : tuple of int
        Predictable incidents in training, validation and test; empty if the plan does not work.
    why_not : str
        The reason why the plan does not work.
    log : Log or None
        The incidents with their split, for the timeline.
    """

    split: str
    horizon: int
    incidents: tuple[int, ...] = ()
    why_not: str = ""
    log: Log | None = None

    @property
    def works(self) -> bool:
        """Whether training, validation and test each have enough incidents."""
        return bool(self.incidents)

    def to_dict(self) -> dict[str, object]:
        """Return the plan as plain values for JSON."""
        return {
            "split": self.split,
            "horizon_seconds": self.horizon / SECOND,
            "incidents": dict(zip(("training", "validation", "test"), self.incidents, strict=False)) or None,
            "why_not": self.why_not or None,
        }

    def line(self) -> str:
        """Return the plan as a line of text."""
        start = f"--split {self.split} --horizon {format_duration(self.horizon)}"
        if not self.works:
            return f"{start}: {self.why_not}"
        train, validation, test = self.incidents
        return f"{start}: {train} incidents for training, {validation} for validation, {test} for test"


def plans(dataset: Dataset, horizon: int, seed: int) -> list[Plan]:
    """Try splits and horizons.

    Parameters
    ----------
    dataset : Dataset
        Telemetry.
    horizon : int
        The configured horizon in nanoseconds; others are tried if it does not work.
    seed : int
        Seed of a split by device.

    Returns
    -------
    list of Plan
        Plans for the configured horizon, and for others only if none of these works. Plans that work come first.
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
    return tuple(int(labelled.evaluation_split(split).observed.sum()) for split in (TRAIN, VALIDATION, TEST))
