"""Parse times: unambiguous text, or numbers since the epoch in s, ms, us or ns."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from netops.telemetry.times.instants import epoch_unit
from netops.telemetry.times.notation import Notation, clear_notation, read_text
from netops.telemetry.times.unreadable import UnreadableValueError

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

_NUMBER = r"^\s*[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\s*$"
_WHOLE = r"^[+-]?\d+$"
_ZONE = r"(Z|[+-]\d\d(:?\d\d)?)$"
_CLOCK = r"\d\d:\d\d"


def parse_times(column: pa.Array, unit: int | None = None) -> tuple[Int64, int | None]:
    """Read a column of times.

    Parameters
    ----------
    column : pyarrow.Array
        Timestamps, dates, numbers since the epoch, or text that contains these. A time without a zone
        is UTC.
    unit : int, optional
        Nanoseconds in one unit of a number, as detected in an earlier batch of the same column.

    Returns
    -------
    times : int64 array
        Nanoseconds since the epoch, UTC.
    unit : int or None
        The unit of the numbers; None if the times are not numbers.

    Raises
    ------
    UnreadableValueError
        For the first row that is empty or not a time.
    """
    if column.null_count:
        raise UnreadableValueError(int(pc.index(pc.is_null(column), True).as_py()), None, "not a valid time")
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _from_timestamps(column), None
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _from_numbers(column, unit)
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    if is_number_text(text):
        return _from_number_texts(text, unit)
    return from_text(text)[0], None


def is_number_text(text: pa.Array) -> bool:
    """Return whether text contains numbers, according to the first value."""
    return bool(len(text)) and pc.match_substring_regex(text[0:1], _NUMBER)[0].as_py()


def numbers_of(text: pa.Array) -> pa.Array:
    """Convert text into numbers; integers are exact.

    Raises
    ------
    UnreadableValueError
        For the first value that is not a number.
    """
    _require(text, pc.match_substring_regex(text, _NUMBER), "not a number since the epoch, unlike the first row")
    whole = pc.all(pc.match_substring_regex(text, _WHOLE)).as_py()
    try:
        return text.cast(pa.int64() if whole else pa.float64())
    except pa.ArrowInvalid:
        return text.cast(pa.float64())


def from_text(text: pa.Array, notation: Notation | None = None) -> tuple[Int64, Bool]:
    """Read times written as text.

    Parameters
    ----------
    text : pyarrow.Array
        Trimmed, without nulls.
    notation : Notation, optional
        Their notation; default: ISO 8601 or any of ``time_notation.CLEAR``.

    Returns
    -------
    times : int64 array
        Nanoseconds since the epoch; local time if the text has no zone.
    zoned : bool array
        Whether the text has a zone.

    Raises
    ------
    UnreadableValueError
        For the first value that is not a time.
    """
    if notation is None:
        zoned = _has_zone(text)
        try:
            return _from_iso(text, zoned), zoned
        except UnreadableValueError:
            notation = clear_notation(text[0:200].to_pylist())
            if notation is None:
                raise
    times, zoned, good = read_text(text, notation)
    if not good.all():
        row = int(np.argmin(good))
        raise UnreadableValueError(row, text[row].as_py(), f"not a valid time ({notation.name})")
    return times, zoned


def _from_timestamps(column: pa.Array) -> Int64:
    try:
        return column.cast(pa.timestamp("ns"), safe=True).cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        raise UnreadableValueError(0, column[0].as_py(), "a time outside the years 1678 to 2261") from None


def _from_numbers(column: pa.Array, unit: int | None) -> tuple[Int64, int]:
    whole = pa.types.is_integer(column.type)
    values = column.cast(pa.int64() if whole else pa.float64()).to_numpy(zero_copy_only=False)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise UnreadableValueError(row, values[row], "not a valid time")
    unit = unit or (epoch_unit(values) if len(values) else 1_000_000_000)
    too_large = np.abs(values.astype(np.float64)) * unit > 9.2e18
    if too_large.any():
        row = int(np.argmax(too_large))
        raise UnreadableValueError(row, column[row].as_py(), "not a valid time in the unit of the column")
    if whole:
        return values * unit, unit
    # float64 has a resolution of a quarter of a microsecond for today's seconds: finer digits would be noise.
    if unit >= 1_000:
        return np.round(values * (unit / 1_000)).astype(np.int64) * 1_000, unit
    return values.astype(np.int64), unit


def _from_number_texts(text: pa.Array, unit: int | None) -> tuple[Int64, int]:
    return _from_numbers(numbers_of(text), unit)


def _has_zone(text: pa.Array) -> Bool:
    zoned = pc.and_(pc.match_substring_regex(text, _CLOCK), pc.match_substring_regex(text, _ZONE))
    return zoned.to_numpy(zero_copy_only=False)


def _from_iso(text: pa.Array, zoned: Bool) -> Int64:
    times = np.empty(len(text), np.int64)
    for has_zone, kind in ((True, pa.timestamp("ns", tz="UTC")), (False, pa.timestamp("ns"))):
        rows = np.flatnonzero(zoned == has_zone)
        if len(rows):
            times[rows] = _cast(text if len(rows) == len(text) else text.take(pa.array(rows)), kind, rows)
    return times


def _cast(text: pa.Array, kind: pa.DataType, rows: Int64) -> Int64:
    try:
        return text.cast(kind).cast(pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        index = next(index for index in range(len(text)) if not _castable(text[index], kind))
        raise UnreadableValueError(
            int(rows[index]), text[index].as_py(), "not a valid time (ISO 8601 or epoch)"
        ) from None


def _castable(value: pa.Scalar, kind: pa.DataType) -> bool:
    try:
        value.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _require(text: pa.Array, good: pa.Array, problem: str) -> None:
    if not pc.all(good).as_py():
        row = int(pc.index(good, False).as_py())
        raise UnreadableValueError(row, text[row].as_py(), problem)
