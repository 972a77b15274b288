"""The ``alerting:`` section: when a risk becomes an alert, and how many false alarms are bearable."""

from dataclasses import dataclass

from netops.alerting.policy import AlertPolicy
from netops.alerting.silences import Silence
from netops.config.binding import Duration, option
from netops.config.durations import DAY, MINUTE, format_duration

_WEEK = 7 * DAY


@dataclass(frozen=True)
class RollUpSettings:
    """When the alerts of many devices of a site become one."""

    share: float = option(0.3, help="Share of a site's devices that must alert", minimum=0.0, maximum=1.0)
    devices: int = option(3, help="Devices of a site that must alert at the least", minimum=2)
    window: Duration = option(10 * MINUTE, help="Within which time they must have opened", unit="duration")


@dataclass(frozen=True)
class AlertSettings:
    """From risks to alerts, in evaluation, backtest and server alike."""

    for_: int = option(2, help="Consecutive samples at or above the threshold that open an alert", minimum=1)
    cooldown: Duration | None = option(
        None, help="How long the risk must stay below before an alert closes; the horizon if empty", unit="duration"
    )
    expire: Duration | None = option(
        None,
        help="Age at which an alert expires; the next one may then open; the horizon if empty",
        unit="duration",
    )
    renewals: str = option(
        "update",
        help="An alert that opens again when it has expired: update (the same alert goes on) or page (a new alert)",
        choices=("update", "page"),
    )
    close_below: float = option(
        1.0, help="Hysteresis: an alert cools down below this share of the threshold", minimum=0.01, maximum=1.0
    )
    false_alarms_per_device_week: float = option(
        1.0, help="Alert budget: the threshold is chosen to keep false alarms at or below this", minimum=0.0
    )
    retention: Duration = option(
        90 * DAY, help="How long ended alerts are stored, by the time of the samples", unit="duration"
    )
    roll_up: RollUpSettings = option(RollUpSettings, help="Many devices of a site: one site alert that names them")
    silences: tuple[Silence, ...] = option((), help="Maintenance windows: alerts in them are not sent")

    def policy(self, threshold: float, horizon: int) -> AlertPolicy:
        """Make the rule for a model's threshold and horizon (nanoseconds)."""
        return AlertPolicy(threshold, self.for_, self.cooldown or horizon, self.close_below, self.expire or horizon)

    def budget_caution(self, horizon: int) -> str:
        """Say that a budget excludes nothing, where it allows a false alarm in every horizon (ns); else ""."""
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
