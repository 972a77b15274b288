"""Incidents that follow the clock of their device, as planned work and scheduled jobs do: figures without them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.policy import AlertPolicy
from netops.alerting.resampling import Interval
from netops.alerting.sequences import Flags, Floats
from netops.config.durations import DAY, HOUR, SECOND
from netops.evaluation.evaluate import Figures, evaluate
from netops.telemetry.checks.clock_incidents import follows_clock


@dataclass(frozen=True)
class WithoutClock:
    """Figures of models without the incidents at regular times.

    Attributes
    ----------
    following, incidents : int
        Incidents of the split that follow the clock, and all of it.
    devices : tuple of str
        Whose they are.
    figures : dict
        Model → its figures on the other incidents.
    intervals : dict
        Model → the 95% interval of its average precision there.
    """

    following: int
    incidents: int
    devices: tuple[str, ...]
    figures: dict[str, Figures]
    intervals: dict[str, Interval]

    def sentence(self) -> str:
        """Return the number of incidents."""
        return (
            f"{self.following} of the {self.incidents} incidents of the test split follow the clock of their device"
        )


def following_clock(split: EvaluationSplit, interval_seconds: float) -> Flags:
    """Mark the incidents that repeatedly start at the same time of day, or minute of the hour."""
    names = [split.sequences.devices[index] for index in split.incidents.device.tolist()]
    interval = round(interval_seconds * SECOND)
    daily, hourly = (follows_clock(split.incidents.start, names, interval, period) for period in (DAY, HOUR))
    return daily | hourly


def without_clock(
    split: EvaluationSplit,
    risks: Mapping[str, Floats],
    policies: Mapping[str, AlertPolicy],
    interval_seconds: float,
    seed: int = 0,
) -> WithoutClock | None:
    """Evaluate models without the incidents that follow the clock.

    Parameters
    ----------
    part : Part
    risks : mapping
        Model → its risks, in the order of the rows.
    policies : mapping
        Model → its policy.
    interval_seconds : float
        Between two samples of a device.
    seed : int

    Returns
    -------
    WithoutClock or None
        None where no incident of the split does.
    """
    chosen = following_clock(split, interval_seconds)
    counted = chosen & split.observed
    if not counted.any():
        return None
    rest = split.without(chosen)
    found = {name: evaluate(rest, risks[name], policies[name], seed=seed) for name in risks}
    devices = np.unique(split.incidents.device[counted]).tolist()
    return WithoutClock(
        int(counted.sum()),
        int(split.observed.sum()),
        tuple(split.sequences.devices[index] for index in devices),
        {name: one.figures for name, one in found.items()},
        {name: one.intervals["average_precision"] for name, one in found.items()},
    )
