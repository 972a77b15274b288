"""The ``monitoring:`` section: when the present counts as different from what a model was trained on."""

from dataclasses import dataclass

from netops.config.binding import Duration, option
from netops.config.durations import DAY, HOUR
from netops.monitoring.distances import MINIMA

DETECTORS = ("ddm", "eddm", "page_hinkley", "adwin")


@dataclass(frozen=True)
class MonitoringSettings:
    """What is compared, how, and what follows."""

    statistic: str = option("psi", help="how far two distributions are apart", choices=tuple(MINIMA))
    minimum: float | None = option(
        None, help="a move below this is not worth reporting, however sure; empty: by the statistic", minimum=0
    )
    minimum_share: float = option(
        0.02, help="the same for shares: of missing values, of samples at or above the threshold", minimum=0
    )
    window: Duration = option(DAY, help="stretch that is compared with the reference", unit="duration")
    step: Duration = option(6 * HOUR, help="from one window to the next", unit="duration")
    rhythm: Duration = option(
        DAY, help="period after which the network does the same again; 7d where weekends differ", unit="duration"
    )
    reference: Duration = option(
        28 * DAY, help="the newest part of the training telemetry that the reference is made of", unit="duration"
    )
    bins: int = option(10, help="bins of a distribution, equally full in the reference", minimum=3, maximum=50)
    false_alarms_per_month: float = option(
        0.1,
        help="chance of a false alarm in 30 days, over all features and windows together",
        minimum=0.0001,
        maximum=1,
    )
    detector: str = option("ddm", help="what watches the outcomes for concept drift", choices=DETECTORS)
    retrain_every: Duration = option(DAY, help="drift starts a training at most so often", unit="duration")
    every: Duration = option(HOUR, help="how often `netops monitor --port` looks again", unit="duration")
