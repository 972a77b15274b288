"""Convert local times to UTC; the repeated hour of daylight saving time is resolved by the order of the rows."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import numpy.typing as npt

from netops.errors import closest
from netops.telemetry.times.unreadable import UnreadableValueError

Int64 = npt.NDArray[np.int64]
_UTC = ("UTC", "Z", "")
_NAT = np.iinfo(np.int64).min
_DAY = 86_400_000_000_000


def check_zone(name: str) -> None:
    """Raise for an unknown time zone.

    Raises
    ------
    ValueError
        Names the closest one.
    """
    if name in _UTC:
        return
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        zones = available_timezones()
        near = closest(name, zones)
        hint = (
            near if "did you mean" in near else "; expected a name such as Europe/Berlin, America/New_York or UTC"
        )
        raise ValueError(f"unknown time zone '{name}'{hint}") from None


class LocalClock:
    """Convert the local times of one file to UTC, batch by batch.

    In the hour that daylight saving time repeats, the first pass of a device through it is the first hour (the last
    one where its rows run backwards); the pass ends where its clock turns back.

    Parameters
    ----------
    zone : str
        Name in the IANA database.

    Attributes
    ----------
    repeated : int
        Number of times in a repeated hour so far.
    """

    def __init__(self, zone: str) -> None:
        self.zone, self.repeated = zone, 0
        self._last: dict[object, tuple[int, int]] = {}
        self._turned: dict[object, int] = {}

    @property
    def is_utc(self) -> bool:
        """Whether there is nothing to convert."""
        return self.zone in _UTC

    def __call__(self, local: Int64, owners: Sequence[object] | None = None) -> Int64:
        """Convert.

        Parameters
        ----------
        local : int64 array, n
            Nanoseconds of the local clock, as if it were UTC, in the order of the rows.
        owners : sequence, n, optional
            The device of each row.

        Raises
        ------
        UnreadableValueError
            For a time that the zone skips.
        """
        if self.is_utc or not len(local):
            return local
        import pandas as pd

        naive = pd.DatetimeIndex(local.view("datetime64[ns]"))
        first, second = (
            naive.tz_localize(self.zone, ambiguous=np.full(len(local), summer), nonexistent="NaT").asi8
            for summer in (True, False)
        )
        skipped = first == _NAT
        if skipped.any():
            row = int(np.argmax(skipped))
            raise UnreadableValueError(
                row,
                str(naive[row]),
                f"not a time in {self.zone}: it is skipped by daylight saving time; check telemetry.timezone",
            )
        twice = np.flatnonzero(first != second)
        self.repeated += len(twice)
        return self._by_order(local, first, second, twice, owners) if len(twice) else first

    def _by_order(
        self, local: Int64, first: Int64, second: Int64, twice: Int64, owners: Sequence[object] | None
    ) -> Int64:
        """Determine row by row to which pass through the repeated hour it belongs."""
        backwards = bool(local[-1] < local[0])
        early, late = (second, first) if backwards else (first, second)
        result = early.copy()
        rows_of: dict[object, list[int]] = {}
        for row in twice.tolist():
            rows_of.setdefault(owners[row] if owners is not None else None, []).append(row)
        for owner, rows in rows_of.items():
            times = local[rows] if not backwards else -local[rows]
            # Hourly rows repeat the same time; where the clock visibly turns back, equal times are duplicates.
            equal_turns = not (np.diff(times) < 0).any()
            for row, now in zip(rows, times.tolist(), strict=True):
                day = int(local[row]) // _DAY
                last_day, last = self._last.get(owner, (None, 0))
                if last_day == day and (now < last or (now == last and equal_turns)):
                    self._turned[owner] = day
                self._last[owner] = day, now
                if self._turned.get(owner) == day:
                    result[row] = late[row]
        return result
