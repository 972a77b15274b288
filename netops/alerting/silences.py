"""Silences (maintenance windows): alerts are stored but not sent."""

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
    """A time range in which alerts of matching devices are not sent; without patterns, of all devices."""

    from_: Any = option(help="Start: ISO 8601, UTC unless it has an offset")
    until: Any = option(help="End, exclusive")
    every: Duration | None = option(None, help="Repetition interval (7d for a weekly window)", unit="duration")
    device: str = option("*", help="Pattern of device names (* and ?)")
    data_center: str = option("*", help="Pattern of data centers")
    company: str = option("*", help="Pattern of companies")
    reason: str = option("", help="Reason, shown with the alert")

    def __post_init__(self) -> None:
        for name in ("from_", "until"):
            object.__setattr__(self, name, _time(getattr(self, name), name.rstrip("_")))
        if self.until <= self.from_:
            raise UsageError("alerting: silences: until is not after from")
        if self.every is not None and self.every < self.until - self.from_:
            raise UsageError("alerting: silences: every is shorter than the window from..until")

    def covers(self, attributes: Mapping[str, str | None], time: int) -> bool:
        """Return whether the silence applies to a device at an event time.

        Parameters
        ----------
        attributes : mapping
            ``device`` and, if known, ``data_center`` and ``company``.
        time : int
            Nanoseconds since the epoch.
        """
        patterns = ((DEVICE, self.device), (DATA_CENTER, self.data_center), (COMPANY, self.company))
        return self._active(time) and all(fnmatchcase(attributes.get(k) or "", pattern) for k, pattern in patterns)

    def _active(self, time: int) -> bool:
        since = time - self.from_
        if self.every is not None and since >= 0:
            since %= self.every
        return bool(0 <= since < self.until - self.from_)


def silenced(silences: Iterable[Silence], attributes: Mapping[str, str | None], time: int) -> Silence | None:
    """Return the first silence that applies to a device at an event time, or None."""
    return next((silence for silence in silences if silence.covers(attributes, time)), None)


def _time(value: object, key: str) -> int:
    """Parse a time given as text, date or datetime; return nanoseconds since the epoch."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            value = dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 its zone is read below
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    except (TypeError, ValueError):
        raise UsageError(
            f"alerting: silences: {key}: '{value}' is not a valid time; write it as 2026-01-31T22:00"
        ) from None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    since = zoned - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
