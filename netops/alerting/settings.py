"""The ``alerting:`` section: alert policy and alert budget."""

from dataclasses import dataclass

from netops.alerting.policy import AlertPolicy
from netops.alerting.silences import Silence
from netops.config.binding import Duration, option
from netops.config.durations import DAY, MINUTE, format_duration

_WEEK = 7 * DAY


@dataclass(frozen=True)
class RollUpSettings:
    """When the alerts of many devices of a site become one site alert."""

    share: float = option(0.3, help="Minimum fraction of a site's devices that alert", minimum=0.0, maximum=1.0)
    devices: int = option(3, help="Minimum number of a site's devices that alert", minimum=2)
    window: Duration = option(10 * MINUTE, help="Time within which the alerts must have opened", unit="duration")


@dataclass(frozen=True)
class AlertSettings:
    """Alert policy; evaluation, backtest and server use the same."""

    for_: int = option(2, help="Consecutive samples at or above the threshold that open an alert", minimum=1)
    cooldown: Duration | None = option(
        None, help="How long the risk must be below before an alert closes; default: the horizon", unit="duration"
    )
    expire: Duration | None = option(
        None,
        help="Age at which an alert expires and the next one may open; default: the horizon",
        unit="duration",
    )
    renewals: str = option(
        "update",
        help="If an alert reopens when it expires: update (the same alert continues) or page (a new alert)",
        choices=("update", "page"),
    )
    close_below: float = option(
        1.0, help="Hysteresis: an alert cools down below this fraction of the threshold", minimum=0.01, maximum=1.0
    )
    false_alarms_per_device_week: float = option(
        1.0, help="Alert budget: the threshold is chosen so that false alarms do not exceed this", minimum=0.0
    )
    retention: Duration = option(90 * DAY, help="How long closed alerts are stored (event time)", unit="duration")
    roll_up: RollUpSettings = option(RollUpSettings, help="One site alert for many devices of a site")
    silences: tuple[Silence, ...] = option((), help="Maintenance windows: alerts in them are not sent")

    def policy(self, threshold: float, horizon: int) -> AlertPolicy:
        """Return the policy for a model's threshold and horizon (nanoseconds)."""
        return AlertPolicy(threshold, self.for_, self.cooldown or horizon, self.close_below, self.expire or horizon)

    def budget_caution(self, horizon: int) -> str:
        """Return a warning if the budget allows a false alarm in every horizon (ns), otherwise ""."""
        budget = self.false_alarms_per_device_week
        if budget * horizon < _WEEK:
            return ""
        return (
            f"The alert budget excludes nothing: {budget:g} false alarms per device and week are one in every "
            f"horizon ({format_duration(horizon)}), and no model raises more. Set "
            f"alerting.false_alarms_per_device_week well below {_WEEK / horizon:.3g}."
        )

    @property
    def false_alarms_per_device_day(self) -> float:
        """The alert budget per device-day."""
        return self.false_alarms_per_device_week / 7
