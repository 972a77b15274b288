"""How much telemetry the pipeline generates if none is given (configurations/fleet.yaml)."""

from dataclasses import dataclass
from datetime import datetime

from netops.config.binding import Duration, option
from netops.config.durations import HOUR, SECOND
from netops.errors import UsageError


@dataclass(frozen=True)
class FleetSettings:
    """Size of the generated network and length of its telemetry; its behaviour is in metrics.yaml."""

    devices: int = option(
        200, help="total number of devices, distributed over the levels of the deployment", minimum=1
    )
    duration: Duration = option(20 * HOUR, help="length of the telemetry", unit="duration")
    interval: Duration = option(5 * SECOND, help="time between two samples of a device", unit="duration")
    start: str = option("2026-01-05T00:00:00Z", help="time of the first sample", unit="ISO 8601, UTC")
    seed: int = option(7, help="the same seed gives the same telemetry", minimum=0)

    @property
    def start_time(self) -> int:
        """The start of the generated telemetry, in nanoseconds since the epoch.

        Raises
        ------
        UsageError
            If it is not a time, or names no time zone.
        """
        try:
            moment = datetime.fromisoformat(self.start)
        except ValueError:
            raise UsageError(f"fleet.yaml: start: '{self.start}' is not an ISO 8601 time") from None
        if moment.tzinfo is None:
            raise UsageError(f"fleet.yaml: start: '{self.start}' names no time zone; add Z for UTC")
        return round(moment.timestamp()) * SECOND
