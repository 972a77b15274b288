"""Maintenance windows and silences: alerts that are kept, but not sent."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from netops.config.binding import Duration, option
from netops.errors import UsageError
from netops.telemetry.schema import COMPANY, DATA_CENTER, DEVICE


@dataclass(frozen=True)
class Silence:
    """A time in which the alerts of some devices are not sent; no pattern at all means every device."""

    from_: Any = option(help="When it begins: ISO 8601, UTC unless it says otherwise")
    until: Any = option(help="When it ends, itself not included")
    every: Duration | None = option(None, help="Repeats after this time (7d for a weekly window)", unit="duration")
    device: str = option("*", help="Pattern of the devices' names (* and ?)")
    data_center: str = option("*", help="Pattern of their data centers")
    company: str = option("*", help="Pattern of their companies")
    reason: str = option("", help="Why, for whoever looks at the alert")

    def __post_init__(self) -> None:
        for name in ("from_", "until"):
            object.__setattr__(self, name, _time(getattr(self, name), name.rstrip("_")))
        if self.until <= self.from_:
            raise UsageError("alerting: silences: until is not after from")
        if self.every is not None and self.every < self.until - self.from_:
            raise UsageError("alerting: silences: every is shorter than the window from..until")

    def covers(self, attributes: Mapping[str, str | None], time: int) -> bool:
        """Tell whether it holds for a device at an event time.

        Parameters
        ----------
        attributes : mapping
            ``device``, and ``data_center`` and ``company`` where they are known.
        time : int
            Nanoseconds since the epoch.
        """
        patterns = ((DEVICE, self.device), (DATA_CENTER, self.data_center), (COMPANY, self.company))
        return self._holds(time) and all(fnmatchcase(attributes.get(k) or "", pattern) for k, pattern in patterns)

    def _holds(self, time: int) -> bool:
        since = time - self.from_
        if self.every is not None and since >= 0:
            since %= self.every
        return bool(0 <= since < self.until - self.from_)


def silenced(silences: Iterable[Silence], attributes: Mapping[str, str | None], time: int) -> Silence | None:
    """Find the first silence that holds for a device at an event time."""
    return next((silence for silence in silences if silence.covers(attributes, time)), None)


def _time(value: Any, key: str) -> int:
    """Read a time, given as text or as a date or datetime."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            value = dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 its zone is read below
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise UsageError(
            f"alerting: silences: {key}: '{value}' is not a valid time; write it as 2026-01-31T22:00"
        ) from None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    since = zoned - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
