"""Times as text: ``strptime`` formats and the usual notations, parsed by column."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

_SECOND = 1_000_000_000
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED_MONTH = r"(?P<b>[A-Za-z]{3})[a-z]*\.?"
_CLOCK = r"(?P<H>\d{1,2}):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d{1,9})\d*)?)?(?:\s?(?P<p>[AaPp][Mm]))?"
_ZONE = r"(?:\s*(?P<z>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
_DIRECTIVES = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d\d)",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "e": r"\s?(?P<d>\d{1,2})",
    "b": _NAMED_MONTH,
    "B": _NAMED_MONTH,
    "h": _NAMED_MONTH,
    "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<H>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9})",
    "p": r"(?P<p>[AaPp]\.?[Mm]\.?)",
    "z": r"(?P<z>Z|[+-]\d\d(?::?\d\d)?)",
    "Z": r"(?P<z>Z|UTC|GMT)",
    "a": r"[A-Za-z]+\.?",
    "A": r"[A-Za-z]+",
    "%": "%",
}
_SHORT = {"T": "%H:%M:%S", "R": "%H:%M", "F": "%Y-%m-%d", "D": "%m/%d/%y"}


@dataclass(frozen=True)
class Notation:
    """A notation of times.

    Attributes
    ----------
    name : str
        Name in reports: a ``strptime`` format if there is one.
    pattern : str
        Regular expression whose named groups are the letters of ``strptime``.
    """

    name: str
    pattern: str


def compile_format(text: str) -> Notation:
    """Convert a ``strptime`` format into a notation.

    Raises
    ------
    ValueError
        If a directive is unknown, occurs twice, or there is no date.
    """
    for short, long in _SHORT.items():
        text = text.replace(f"%{short}", long)
    pattern, index = "", 0
    while index < len(text):
        char = text[index]
        if char != "%":
            pattern += r"\s+" if char == " " else re.escape(char)
            index += 1
            continue
        directive = text[index + 1 : index + 2]
        if directive not in _DIRECTIVES:
            raise ValueError(f"unknown directive '%{directive}'; known: {' '.join('%' + d for d in _DIRECTIVES)}")
        pattern += _DIRECTIVES[directive]
        index += 2
    groups = re.findall(r"\(\?P<(\w)>", pattern)
    if len(groups) != len(set(groups)):
        raise ValueError("a directive occurs twice")
    if not (set("Yy") & set(groups) and "d" in groups and set("mb") & set(groups)):
        raise ValueError("a year, a month and a day are required (%Y %m %d)")
    return Notation(text, f"^{pattern}$")


#: Unambiguous notations.
CLEAR = (
    Notation("year first", rf"^(?P<Y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}})(?:[T ]+{_CLOCK})?{_ZONE}$"),
    Notation(
        "YYYYMMDDhhmmss",
        r"^(?P<Y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)(?:[T_ ]?(?P<H>\d\d):?(?P<M>\d\d)(?::?(?P<S>\d\d)"
        rf"(?:[.,](?P<f>\d{{1,9}}))?)?)?{_ZONE}$",
    ),
    Notation(
        "day, name of the month, year",
        rf"^(?:[A-Za-z]{{2,}}\.?,?\s+)?(?P<d>\d{{1,2}})[-/. ]\s*{_NAMED_MONTH}[-/. ]\s*(?P<Y>\d{{4}})"
        rf"(?:[T :,]+{_CLOCK})?{_ZONE}$",
    ),
    Notation(
        "day, name of the month, year of two digits",
        rf"^(?P<d>\d{{1,2}})[-/. ]{_NAMED_MONTH}[-/. ](?P<y>\d\d)(?:[T :,]+{_CLOCK})?{_ZONE}$",
    ),
    Notation(
        "name of the month, day, year",
        rf"^{_NAMED_MONTH}\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<Y>\d{{4}})(?:[T ,@]+{_CLOCK})?{_ZONE}$",
    ),
    Notation(
        "date(1)",
        rf"^[A-Za-z]{{3}}\s+{_NAMED_MONTH}\s+(?P<d>\d{{1,2}})\s+(?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)"
        r"(?:\s+(?P<z>UTC|GMT))?\s+(?P<Y>\d{4})$",
    ),
)
_SLASHED = re.compile(
    r"^(\d{1,2})([-/.])(\d{1,2})([-/.])(\d{4})(?:([ T,]+)(\d{1,2}):(\d\d)(?::(\d\d)([.,]\d+)?)?(\s?[AaPp][Mm])?)?$"
)


def clear_notation(values: Iterable[str]) -> Notation | None:
    """Find the unambiguous notation that all values have."""
    values = list(values)
    if not values:
        return None
    return next((known for known in CLEAR if all(re.match(known.pattern, value) for value in values)), None)


def day_or_month_first(values: Iterable[str]) -> tuple[list[str], bool]:
    """Return the formats that match dates such as ``05.01.2026 12:00``, more likely ones first.

    Returns
    -------
    formats : list of str
        ``strptime`` formats; empty if the values are not such dates.
    certain : bool
        Whether the values are unambiguous: one has a day above 12.
    """
    found = [_SLASHED.match(value) for value in values]
    if not found or not all(found):
        return [], False
    matches = [match for match in found if match is not None]
    mark, form = matches[0][2], _clock_format(matches[0])
    formats = {first: f"%{first}{mark}%{other}{mark}%Y{form}" for first, other in (("d", "m"), ("m", "d"))}
    first, second = (max(int(match[group]) for match in matches) for group in (1, 3))
    if first > 12 or second > 12:
        return [formats["d" if first > 12 else "m"]], True
    us = mark == "/" and bool(matches[0][11])
    return [formats["m"], formats["d"]] if us else [formats["d"], formats["m"]], False


def _clock_format(match: re.Match[str]) -> str:
    if match[7] is None:
        return ""
    half = match[11]
    text = f"{match[6]}{'%I' if half else '%H'}:%M"
    if match[9]:
        text += ":%S"
    if match[10]:
        text += f"{match[10][0]}%f"
    if half:
        text += f"{' ' if half[0] == ' ' else ''}%p"
    return text


def read_text(text: pa.Array, notation: Notation) -> tuple[Int64, Bool, Bool]:
    """Read times in one notation.

    Returns
    -------
    times : int64 array
        Nanoseconds since the epoch, UTC if the text has a zone, else local time.
    zoned : bool array
        Whether the text has a time zone.
    good : bool array
        Whether it is a valid time in this notation.
    """
    encoded = text.dictionary_encode()
    values = encoded.dictionary
    found = pc.extract_regex(values, pattern=notation.pattern)
    good = found.is_valid().to_numpy(zero_copy_only=False).copy()
    groups = set(re.findall(r"\(\?P<(\w)>", notation.pattern))
    part = {name: pc.struct_field(found, name) for name in groups}
    years = _numbers(part.get("Y"), 0, len(values))
    if "y" in part:
        short = _numbers(part["y"], 0, len(values))
        years = np.where(short < 69, 2000 + short, 1900 + short)
    months = _months(part["b"], good) if "b" in part else _numbers(part.get("m"), 1, len(values))
    days = _numbers(part.get("d"), 1, len(values))
    hours, minutes, seconds = (_numbers(part.get(name), 0, len(values)) for name in "HMS")
    if "p" in part:
        hours = _half_day(part["p"], hours, good)
    good &= (months >= 1) & (months <= 12) & (hours <= 24) & (minutes <= 59) & (seconds <= 60)
    good &= (years >= 1678) & (years <= 2261)
    dates = _days(np.where(good, years, 1970), np.where(good, months, 1), np.where(good, days, 1), good)
    times = ((dates * 24 + hours) * 60 + minutes) * 60 + seconds
    zoned, offset = _offsets(part.get("z"), len(values))
    times = (times - offset) * _SECOND + _fraction(part.get("f"), len(values))
    if len(values) == 0:
        none = np.zeros(0, bool)
        return np.zeros(0, np.int64), none, none
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return times[codes], zoned[codes], good[codes]


def _numbers(column: pa.Array | None, default: int, rows: int) -> Int64:
    if column is None:
        return np.full(rows, default, np.int64)
    plain = pc.if_else(pc.equal(column, ""), None, column)
    return pc.fill_null(plain.cast(pa.int64()), default).to_numpy(zero_copy_only=False).astype(np.int64)


def _months(column: pa.Array, good: Bool) -> Int64:
    index = pc.index_in(pc.utf8_lower(pc.fill_null(column, "")), pa.array(_MONTHS))
    months = pc.fill_null(index, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
    good &= months > 0
    return months


def _half_day(column: pa.Array, hours: Int64, good: Bool) -> Int64:
    letter = pc.utf8_slice_codeunits(pc.utf8_lower(pc.fill_null(column, "")), 0, 1)
    has = pc.not_equal(letter, "").to_numpy(zero_copy_only=False)
    good &= ~has | ((hours >= 1) & (hours <= 12))
    afternoon = pc.equal(letter, "p").to_numpy(zero_copy_only=False)
    return np.where(has, hours % 12 + 12 * afternoon, hours)


def _days(years: Int64, months: Int64, days: Int64, good: Bool) -> Int64:
    month = ((years - 1970) * 12 + months - 1).astype("datetime64[M]")
    date = month.astype("datetime64[D]") + (days - 1)
    good &= (date.astype("datetime64[M]") == month) & (days >= 1)
    return date.astype(np.int64)


def _offsets(column: pa.Array | None, rows: int) -> tuple[Bool, Int64]:
    if column is None:
        return np.zeros(rows, bool), np.zeros(rows, np.int64)
    texts = [value or "" for value in column.to_pylist()]
    return np.array([bool(text) for text in texts], bool), np.array([_offset(text) for text in texts], np.int64)


def _offset(text: str) -> int:
    if not text or text[0] not in "+-":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    return (1 if text[0] == "+" else -1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)


def _fraction(column: pa.Array | None, rows: int) -> Int64:
    if column is None:
        return np.zeros(rows, np.int64)
    padded = pc.utf8_rpad(pc.fill_null(column, ""), width=9, padding="0")
    return _numbers(padded, 0, rows)
