"""Times of log messages: notations, time zones, and years that the lines do not have."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from netops.errors import NetopsError
from netops.logs.formats.protocol import NAMED_ZONE
from netops.telemetry.times.instants import epoch_unit, iso
from netops.telemetry.times.notation import CLEAR, Notation, read_text
from netops.telemetry.times.unreadable import UnreadableValueError
from netops.telemetry.times.zones import LocalClock

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

DAY = 86_400 * 10**9
_MONTH = 30 * DAY
_NUMBER = r"^\d{1,19}(\.\d+)?$"
#: A leap year, so that it has every date that a year can have.
_LEAP = 2000
_CLOCK = r"(?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d{1,9})\d*)?)?"
_ZONE = r"(?: ?(?P<z>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
_DATE = r"(?P<b>[A-Z][a-z]{2}) +(?P<d>\d{1,2})"
_YEARLESS = r"^[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d(:\d\d([.,]\d+)?)?( ?(Z|UTC|GMT|[+-]\d\d(:?\d\d)?))?$"
_NOTATIONS = (
    CLEAR[0],
    Notation("year, month, day", rf"^(?P<Y>\d{{4}}) {_DATE} {_CLOCK}{_ZONE}$"),
    Notation("month, day, year", rf"^{_DATE} (?P<Y>\d{{4}}) {_CLOCK}{_ZONE}$"),
    Notation("month, day, time, year", rf"^{_DATE} {_CLOCK} (?P<Y>\d{{4}}){_ZONE}$"),
)
_RANGE = (np.datetime64("1970-01-01", "ns").astype(np.int64), np.datetime64("2115-01-01", "ns").astype(np.int64))


@dataclass
class Period:
    """What years are chosen by, if the lines have none.

    Attributes
    ----------
    first, last : int
        Nanoseconds. The year is the one with which the first line is closest to this range.
    described : str
        What it is, for the report.
    """

    first: int
    last: int
    described: str


class LogClock:
    """Read the times of one file, batch by batch.

    Parameters
    ----------
    where : str
        The file, for errors.
    timezone : str
        Zone of times without one; empty is UTC.
    year : int, optional
        Year of the first line.
    period : Period, optional
        Determines the year of the first line, if ``year`` is not given.

    Attributes
    ----------
    year : int or None
        Year of the first line that has none; None if there was no such line.
    """

    def __init__(
        self, where: str, timezone: str = "", year: int | None = None, period: Period | None = None
    ) -> None:
        self.year: int | None = None
        self._where, self._given, self._period = where, year, period
        self._local = LocalClock(timezone)
        self._last: int | None = None
        self._unit: int | None = None

    @property
    def zone(self) -> str:
        """Zone of the times that have none."""
        return self._local.zone or "UTC"

    def __call__(self, texts: list[str], owners: list[str] | None = None) -> tuple[Int64, Bool]:
        """Read times.

        Parameters
        ----------
        texts : list of str, n
            As they are in the lines.
        owners : list of str, n, optional
            The device of each, for the hour that daylight saving time repeats.

        Returns
        -------
        times : int64 array
            Nanoseconds since the epoch, UTC.
        good : bool array
            Whether the text is a time; the others have time 0.

        Raises
        ------
        NetopsError
            If a year is needed and cannot be determined.
        """
        encoded = pa.array(texts, pa.string()).dictionary_encode()
        distinct = _Distinct(self._without_names(encoded.dictionary))
        self._numbers(distinct)
        for notation in _NOTATIONS:
            distinct.read(notation)
        distinct.read_yearless()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        times, zoned, good = distinct.times[codes], distinct.zoned[codes], distinct.good[codes]
        yearless = distinct.yearless[codes] & good
        if yearless.any():
            times[yearless], good[yearless] = self._with_years(times[yearless])
        self._to_utc(times, good, ~zoned, owners)
        good &= (times >= _RANGE[0]) & (times < _RANGE[1])
        times[~good] = 0
        return times, good

    def _without_names(self, texts: pa.Array) -> pa.Array:
        """Remove the abbreviations of zones, if the zone is set."""
        named = pc.match_substring(texts, NAMED_ZONE)
        if not pc.any(named).as_py():
            return texts
        if not self._local.zone:
            name = texts.filter(named)[0].as_py().partition(NAMED_ZONE)[2]
            raise NetopsError(
                f"{self._where}: the times are in zone '{name}', which is ambiguous; name the zone with "
                "--set logs.timezone=Europe/Berlin or similar"
            )
        return pc.replace_substring_regex(texts, f"{NAMED_ZONE}.*$", "")

    def _numbers(self, distinct: "_Distinct") -> None:
        """Read seconds, milliseconds, microseconds or nanoseconds since the epoch."""
        rows = distinct.matching(_NUMBER)
        if not len(rows):
            return
        some = distinct.texts.take(pa.array(rows))
        if self._unit is None:
            self._unit = epoch_unit(some.cast(pa.float64()).to_numpy(zero_copy_only=False))
        values = [_scaled(text, self._unit) for text in some.to_pylist()]
        plausible = np.array([value < _RANGE[1] for value in values], bool)
        times = np.array([min(value, int(_RANGE[1])) for value in values], np.int64)
        distinct.set(rows, times, np.ones(len(rows), bool), plausible)

    def _with_years(self, times: Int64) -> tuple[Int64, Bool]:
        """Give times of the year 2000 their year: it follows from the order of the lines."""
        good = np.ones(len(times), bool)
        if self._last is None:
            self.year = self._first_year(int(times[0]))
            self._last = int(_moved(times[:1], self.year)[0][0])
        days = times // DAY
        starts = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
        for start, stop in zip(starts, [*starts[1:], len(times)], strict=True):
            span = slice(start, stop)
            times[span], good[span] = self._in_year(times[span])
        return times, good

    def _in_year(self, times: Int64) -> tuple[Int64, Bool]:
        """Choose the year of lines of one day: at most a month before the newest line, else after it."""
        newest = self._last or 0
        year = int(np.datetime64(newest, "ns").astype("datetime64[Y]").astype(np.int64)) + 1970
        for candidate in (year - 1, year, year + 1):
            moved, good = _moved(times, candidate)
            if good and moved[0] >= newest - _MONTH:
                self._last = max(newest, int(moved.max()))
                return moved, np.ones(len(times), bool)
        return times, np.zeros(len(times), bool)

    def _first_year(self, time: int) -> int:
        if self._given is not None:
            return self._given
        if self._period is None:
            raise NetopsError(f"{self._where}: the times have no year; set it with --set logs.year=…")
        first, last = self._period.first, self._period.last
        years = range(_year(first) - 1, _year(last) + 2)
        apart = {year: _distance(time, year, first, last) for year in years}
        best = min(apart, key=lambda year: apart[year])
        if sum(distance == 0 for distance in apart.values()) > 1:
            raise NetopsError(
                f"{self._where}: the times have no year, and {self._period.described} is longer than one; "
                "set that of the first line with --set logs.year=…"
            )
        return best

    def _to_utc(self, times: Int64, good: Bool, local: Bool, owners: list[str] | None) -> None:
        rows = np.flatnonzero(local & good)
        while len(rows) and not self._local.is_utc:
            whose = [owners[row] for row in rows.tolist()] if owners else None
            try:
                times[rows] = self._local(times[rows], whose)
                return
            except UnreadableValueError as error:  # the hour that daylight saving time skips
                same = times[rows] == times[rows[error.row]]
                good[rows[same]] = False
                rows = rows[~same]

    def describe(self) -> str:
        """Return how zone and year were chosen: ``UTC; year 2026 for the first line, closest to the telemetry``."""
        if self.year is None:
            return self.zone
        by = "as set" if self._given is not None else f"closest to {self._period.described if self._period else ''}"
        return f"{self.zone}; year {self.year} for the first line, {by}"


class _Distinct:
    """Distinct texts of a batch, and what was read of them."""

    def __init__(self, texts: pa.Array) -> None:
        self.texts, count = texts, len(texts)
        self.times, self.zoned = np.zeros(count, np.int64), np.zeros(count, bool)
        self.good, self.yearless = np.zeros(count, bool), np.zeros(count, bool)

    def matching(self, pattern: str) -> Int64:
        """Return the indexes of the texts that are not read yet and match."""
        left = np.flatnonzero(~self.good)
        if not len(left):
            return left
        some = self.texts.take(pa.array(left))
        return left[pc.match_substring_regex(some, pattern).to_numpy(zero_copy_only=False)]

    def set(self, rows: Int64, times: Int64, zoned: Bool, good: Bool) -> None:
        """Store the result for some texts."""
        self.times[rows], self.zoned[rows], self.good[rows] = times, zoned, good

    def read(self, notation: Notation) -> None:
        """Read the texts of one notation."""
        left = np.flatnonzero(~self.good)
        if len(left):
            self.set(left, *read_text(self.texts.take(pa.array(left)), notation))

    def read_yearless(self) -> None:
        """Read the texts that have no year, as times of a leap year."""
        rows = self.matching(_YEARLESS)
        if len(rows):
            some = self.texts.take(pa.array(rows))
            dated = pc.binary_join_element_wise(pa.scalar(str(_LEAP)), some, " ")
            self.set(rows, *read_text(dated, _NOTATIONS[1]))
            self.yearless[rows] = self.good[rows]


def _scaled(text: str, unit: int) -> int:
    """Convert a number since the epoch exactly.

    >>> _scaled("1764299838.123456789", 10**9)
    1764299838123456789
    """
    whole, _, fraction = text.partition(".")
    digits = fraction[:9]
    return int(whole) * unit + (int(digits) * unit // 10 ** len(digits) if digits else 0)


def _moved(times: Int64, year: int) -> tuple[Int64, bool]:
    """Move times of one day of the year 2000 to another year; False if that has no such day."""
    day = times[0] // DAY * DAY
    date = np.datetime64(int(day), "ns").astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    target = month + 12 * (year - _LEAP)
    moved = target.astype("datetime64[D]") + (date - month.astype("datetime64[D]"))
    good = bool(moved.astype("datetime64[M]") == target)
    return times - day + moved.astype("datetime64[ns]").astype(np.int64), good


def _distance(time: int, year: int, first: int, last: int) -> int:
    moved = int(_moved(np.array([time], np.int64), year)[0][0])
    return max(first - moved, moved - last, 0)


def _year(time: int) -> int:
    return int(iso(time)[:4])
