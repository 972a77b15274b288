"""The ``telemetry: incidents:`` section: what the columns of an incident log are called."""

from dataclasses import dataclass

from netops.config.binding import Duration, option
from netops.config.durations import HOUR
from netops.errors import UsageError
from netops.telemetry.times.reader import TimeReader
from netops.telemetry.times.zones import check_zone


@dataclass(frozen=True)
class IncidentLogSettings:
    """How a log of incidents is read; names count in any case, without spaces and punctuation."""

    device: tuple[str, ...] = option((), help="names of the device column; without one, the usual names")
    start: tuple[str, ...] = option((), help="names of the column of starts; without one, the usual names")
    end: tuple[str, ...] = option((), help="names of the column of ends; without one, the usual names")
    duration: tuple[str, ...] = option(
        (), help="names of the column of durations (`10m`, `0:10:00`, or seconds), where there is no end"
    )
    kind: tuple[str, ...] = option((), help="names of the column that says what kind of incident it was")
    length: Duration = option(
        HOUR, help="how long an incident lasts whose log has neither ends nor durations", unit="duration"
    )
    time_format: str = option(
        "", help="how the times are written: a strptime format, or `s`, `ms`, `us`, `ns`, `excel`; empty: found"
    )
    encoding: str = option("", help="of its text, such as cp1252; empty: UTF-8, or UTF-16 where it is that")
    timezone: str = option(
        "", help="zone of times that name none, such as Europe/Vienna; without one, that of the telemetry"
    )

    def __post_init__(self) -> None:
        try:
            check_zone(self.timezone)
        except ValueError as error:
            raise UsageError(f"telemetry.yaml: incidents: timezone: {error}") from None
        try:
            TimeReader(self.time_format)
        except ValueError as error:
            raise UsageError(f"telemetry.yaml: incidents: time_format: '{self.time_format}': {error}") from None
