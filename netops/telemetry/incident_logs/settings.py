"""The ``telemetry: incidents:`` section: column names of an incident log."""

from dataclasses import dataclass

from netops.config.binding import Duration, option
from netops.config.durations import HOUR
from netops.errors import UsageError
from netops.telemetry.times.reader import TimeReader
from netops.telemetry.times.zones import check_zone


@dataclass(frozen=True)
class IncidentLogSettings:
    """How an incident log is read; names are compared without case, spaces and punctuation."""

    device: tuple[str, ...] = option((), help="names of the device column; default: the usual names")
    start: tuple[str, ...] = option((), help="names of the column of starts; default: the usual names")
    end: tuple[str, ...] = option((), help="names of the column of ends; default: the usual names")
    duration: tuple[str, ...] = option(
        (), help="names of the column of durations (`10m`, `0:10:00`, or seconds), if there is no end"
    )
    kind: tuple[str, ...] = option((), help="names of the column of the kind of incident")
    length: Duration = option(
        HOUR, help="length of an incident if the log has neither ends nor durations", unit="duration"
    )
    time_format: str = option(
        "", help="notation of times: a strptime format, or `s`, `ms`, `us`, `ns`, `excel`; empty: detected"
    )
    encoding: str = option("", help="text encoding, such as cp1252; empty: UTF-8 or UTF-16, detected")
    timezone: str = option(
        "", help="time zone of times without one, such as Europe/Vienna; default: that of the telemetry"
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
