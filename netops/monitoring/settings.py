"""The ``monitoring:`` section: drift detection."""

from dataclasses import dataclass
from typing import ClassVar

from netops.config.binding import Duration, option
from netops.config.durations import DAY, HOUR

#: Statistics of distributions; total variation is that of fractions.
CHOICES = ("psi", "ks")


@dataclass(frozen=True)
class MonitoringSettings:
    """Settings of drift detection and retraining."""

    RETIRED: ClassVar = {"detector": "concept drift is always detected by DDM"}

    statistic: str = option(
        "psi",
        help="distance between two distributions",
        choices=CHOICES,
        retired=("total_variation", "hellinger", "kl"),
    )
    minimum: float | None = option(
        None, help="smaller distances are not reported, even if significant; empty: by the statistic", minimum=0
    )
    minimum_share: float = option(
        0.02, help="the same for fractions of missing values and of samples at or above the threshold", minimum=0
    )
    window: Duration = option(DAY, help="time range that is compared with the reference", unit="duration")
    step: Duration = option(6 * HOUR, help="time from one window to the next", unit="duration")
    rhythm: Duration = option(DAY, help="period of the network's load; 7d if weekends differ", unit="duration")
    reference: Duration = option(
        28 * DAY, help="newest time range of the training telemetry that is used as the reference", unit="duration"
    )
    bins: int = option(10, help="bins of a histogram, equally filled in the reference", minimum=3, maximum=50)
    false_alarms_per_month: float = option(
        0.1,
        help="probability of a false alarm in 30 days, over all features and windows",
        minimum=0.0001,
        maximum=1,
    )
    retrain_every: Duration = option(DAY, help="minimum time between trainings that drift starts", unit="duration")
    every: Duration = option(HOUR, help="how often `netops monitor --port` checks for drift", unit="duration")
