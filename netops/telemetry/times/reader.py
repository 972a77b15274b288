"""Read the times of one file: detect notation and time zone once, and times of clocks that were not set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from netops.telemetry.times.instants import epoch_unit
from netops.telemetry.times.notation import (
    CLEAR,
    Notation,
    clear_notation,
    compile_format,
    day_or_month_first,
    read_text,
)
from netops.telemetry.times.parsing import (
    from_text,
    is_number_text,
    numbers_of,
    parse_times,
)
from netops.telemetry.times.unreadable import UnreadableValueError
from netops.telemetry.times.zones import LocalClock

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Numbers: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.float64]

#: Values of ``telemetry.time_format`` except ``strptime`` formats: numbers since the epoch, or Excel day numbers.
EPOCHS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
EXCEL = "excel"
_UNIT_NAMES = {unit: name for name, unit in EPOCHS.items()}
_DAY = 86_400_000_000_000
_EXCEL_EPOCH = -25_569  # 1899-12-30, in days
_Y2000, _Y2100, _Y2115 = 946_684_800 * 10**9, 4_102_444_800 * 10**9, 4_575_744_000 * 10**9
_COMPACT = {8: 86_400, 10: 3_600, 12: 60, 14: 1}
_SAMPLE = 5_000
_SET = "telemetry.time_format="


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes
    ----------
    nanoseconds : int64 array
        Since the epoch, UTC.
    unset : bool array
        Rows of a clock that was not set: their time is long before that of the others.
    """

    nanoseconds: Int64
    unset: Bool


class TimeReader:
    """Read the times of one file, batch by batch.

    Parameters
    ----------
    time_format : str
        ``s``, ``ms``, ``us``, ``ns``, ``excel``, a ``strptime`` format, or empty: detected.
    timezone : str
        Time zone of times without one; empty is UTC.
    month_first : bool
        Whether the tool that wrote the file writes the month first.

    Attributes
    ----------
    notation : str
        Notation of the times, after the first batch.
    zone : str
        Origin of the time zone.
    """

    def __init__(self, time_format: str = "", timezone: str = "", month_first: bool = False) -> None:
        self.notation, self.zone = "", ""
        self._format, self._month_first = time_format, month_first
        self._clock = LocalClock(timezone)
        self._unit: int | None = EPOCHS.get(time_format)
        self._text: Notation | None = None
        if time_format and time_format not in (*EPOCHS, EXCEL):
            self._text = compile_format(time_format)
        self._recent: bool | None = None

    @property
    def needs_owners(self) -> bool:
        """Whether the device of each row is required: the zone has repeated hours."""
        return not self._clock.is_utc

    @property
    def repeated(self) -> int:
        """Times in the repeated hour of daylight saving time, which were resolved by the order of the rows."""
        return self._clock.repeated

    def __call__(self, column: pa.Array, owners: Sequence[object] | None = None) -> Times:
        """Read one batch.

        Raises
        ------
        UnreadableValueError
            For the first row without a time, or with an implausible one.
        """
        if column.null_count:
            raise UnreadableValueError(int(pc.index(pc.is_null(column), True).as_py()), None, "not a valid time")
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pc.utf8_trim_whitespace(column.cast(pa.string()))
            if self._text is None and is_number_text(column):
                column = numbers_of(column)
        if pa.types.is_string(column.type):
            times = self._from_text(column, owners)
        elif pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            times = self._from_timestamps(column, owners)
        elif self._text is not None:
            return self(column.cast(pa.string()), owners)
        else:
            return self._from_numbers(column)
        return self._checked(times, column)

    def _from_text(self, text: pa.Array, owners: Sequence[object] | None) -> Int64:
        if self._text is None and not self.notation:
            self._text = self._notation_of(text)
        times, zoned = from_text(text, self._text)
        self.notation = self._text.name if self._text else "ISO 8601"
        return self._in_utc(times, zoned, owners)

    def _notation_of(self, text: pa.Array) -> Notation | None:
        """Find the order of days and months if it is ambiguous; None if it is not."""
        formats, certain = day_or_month_first(text.slice(0, 1).to_pylist())
        if not formats:
            return _clear_but_not_iso(text)
        some = pc.unique(text.slice(0, 200_000))
        every = day_or_month_first(some.to_pylist()) if len(some) <= 200_000 else (formats, certain)
        formats, certain = every if every[0] else (formats, certain)
        if self._month_first:
            formats, certain = [name for name in formats if name.startswith("%m")], True
        if not certain:
            hint = " or ".join(f'--set "{_SET}{name}"' for name in formats)
            raise UnreadableValueError(
                0, text[0].as_py(), f"ambiguous: the day or the month may come first; use {hint}"
            )
        return compile_format(formats[0]) if formats else None

    def _from_timestamps(self, column: pa.Array, owners: Sequence[object] | None) -> Int64:
        times, _ = parse_times(column)
        zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
        self.notation = "timestamps"
        return self._in_utc(times, np.full(len(times), zoned), owners)

    def _in_utc(self, times: Int64, zoned: Bool, owners: Sequence[object] | None) -> Int64:
        rows = np.flatnonzero(~zoned)
        if not len(rows):
            self.zone = self.zone or "as written"
            return times
        self.zone = self._clock.zone or "UTC (no zone in the text; set telemetry.timezone to change it)"
        if self._clock.is_utc:
            return times
        whose = None if owners is None else [owners[row] for row in rows.tolist()]
        try:
            times[rows] = self._clock(times[rows], whose)
        except UnreadableValueError as error:
            raise UnreadableValueError(int(rows[error.row]), error.value, error.problem) from None
        return times

    def _checked(self, times: Int64, column: pa.Array) -> Times:
        """Raise for implausible times, and find those of a clock that was not set."""
        for wrong, problem in ((times < 0, "before 1970"), (times > _Y2115, "after 2115")):
            if wrong.any():
                row = int(np.argmax(wrong))
                raise UnreadableValueError(row, str(column[row].as_py()), problem)
        old = times < _Y2000
        if self._recent is None and len(times):
            self._recent = bool(2 * np.count_nonzero(old) <= len(times))
        return Times(times, old if self._recent else np.zeros(len(times), bool))

    def _from_numbers(self, column: pa.Array) -> Times:
        whole = pa.types.is_integer(column.type)
        values = column.cast(pa.int64() if whole else pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise UnreadableValueError(row, values[row], "not a valid time")
        self.zone = "UTC"
        if self._format == EXCEL:
            self.notation, self.zone = "Excel day numbers", self._clock.zone or "UTC"
            return self._checked(self._clock(_from_days(values.astype(np.float64))), column)
        if self._format in EPOCHS:
            self.notation = f"epoch, {self._format}"
            return Times(parse_times(column, self._unit)[0], np.zeros(len(values), bool))
        if self._unit is None and len(values):
            self._unit = self._find_unit(column, values)
        if self._unit == 0:
            return self._from_compact(column, values)
        return self._from_epoch(column, values)

    def _find_unit(self, column: pa.Array, values: Numbers) -> int:
        """Find the unit of an epoch; 0 for digits such as 20260105120000."""
        unit = epoch_unit(values)
        good = _plausible(values, unit)
        if 2 * np.count_nonzero(good) >= len(values):
            return unit
        if _compact(values[:_SAMPLE]) is not None:
            return 0
        row = int(np.argmin(good))
        value = _shown(column[row].as_py())
        if (other := _other_unit(values[row], unit)) is not None:
            self._refuse_mixture(row, value, unit, other)
        median = float(np.median(values))
        if 20_000 <= median < 80_000:
            raise UnreadableValueError(
                row, value, f"not a time since 1970; if Excel wrote these days, use --set {_SET}{EXCEL}"
            )
        raise UnreadableValueError(
            row,
            value,
            f"a time of {_date(values[row], unit)} as epoch {_UNIT_NAMES[unit]}: before 2000 or after 2100; if "
            f"that is intended (or only differences matter), use --set {_SET}{_UNIT_NAMES[unit]}",
        )

    def _from_epoch(self, column: pa.Array, values: Numbers) -> Times:
        unit = self._unit or EPOCHS["s"]
        self.notation = f"epoch, {_UNIT_NAMES[unit]}"
        good = _plausible(values, unit)
        for row in np.flatnonzero(~good)[:1000].tolist():
            if (other := _other_unit(values[row], unit)) is not None:
                self._refuse_mixture(row, _shown(column[row].as_py()), unit, other)
            if values[row] < 0 or float(values[row]) * unit >= _Y2100:
                raise UnreadableValueError(
                    row,
                    _shown(column[row].as_py()),
                    f"not a time in the unit of the column ({_UNIT_NAMES[unit]})",
                )
        return Times(parse_times(column, unit)[0], ~good)

    def _refuse_mixture(self, row: int, value: object, unit: int, other: int) -> None:
        names = _UNIT_NAMES[unit], _UNIT_NAMES[other]
        raise UnreadableValueError(row, value, f"in epoch {names[1]}, other rows are in {names[0]}: use one unit")

    def _from_compact(self, column: pa.Array, values: Numbers) -> Times:
        """Read digits such as 20260105 or 20260105120000."""
        text = column.cast(pa.int64(), safe=False).cast(pa.string())
        times, _, good = read_text(text, _COMPACT_NOTATION)
        if not good.all():
            row = int(np.argmin(good))
            raise UnreadableValueError(
                row, _shown(column[row].as_py()), "not a valid time (YYYYMMDDhhmmss), as other rows are"
            )
        self.notation = _COMPACT_NOTATION.name
        return self._checked(self._in_utc(times, np.zeros(len(times), bool), None), column)


_COMPACT_NOTATION = next(known for known in CLEAR if known.name == "YYYYMMDDhhmmss")


def _clear_but_not_iso(text: pa.Array) -> Notation | None:
    """Return the notation; None for ISO 8601, which is parsed fastest, or if no notation matches."""
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", tz="UTC")):
        try:
            text.slice(0, 1).cast(kind)
        except pa.ArrowInvalid:
            continue
        return None
    return clear_notation(text.slice(0, 200).to_pylist())


def _from_days(days: npt.NDArray[np.float64]) -> Int64:
    """Read Excel day numbers; if all are close to whole seconds, they are rounded to seconds."""
    seconds = (days + _EXCEL_EPOCH) * 86_400
    if (np.abs(seconds - np.round(seconds)) < 0.1).all():
        seconds = np.round(seconds)
    return np.round(seconds * 1_000).astype(np.int64) * 1_000_000


def _plausible(values: Numbers, unit: int) -> Bool:
    """Return which numbers are times from 2000 to 2100."""
    return (values >= _Y2000 / unit) & (values < _Y2100 / unit)


def _other_unit(value: float, unit: int) -> int | None:
    return next((u for u in EPOCHS.values() if u != unit and _Y2000 <= float(value) * u < _Y2100), None)


def _compact(values: Numbers) -> int | None:
    """Return the number of digits of numbers such as YYYYMMDD…; None if they are not."""
    digits = {len(str(int(value))) for value in values[:_SAMPLE].tolist() if value == int(value)}
    if len(digits) != 1 or (count := digits.pop()) not in _COMPACT:
        return None
    text = pa.array([str(int(value)) for value in values[:_SAMPLE].tolist()])
    return count if read_text(text, _COMPACT_NOTATION)[2].all() else None


def _date(value: float, unit: int) -> str:
    nanoseconds = float(value) * unit
    if abs(nanoseconds) > 9e18:
        return "the far future"
    return str(np.datetime64(int(nanoseconds), "ns").astype("datetime64[s]"))


def _shown(value: object) -> object:
    return int(value) if isinstance(value, float) and value == int(value) and abs(value) < 1e18 else value
