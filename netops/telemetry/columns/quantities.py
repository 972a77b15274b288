"""Parse numbers with units, signs, thousands separators or decimal commas, and states written as words.

The notation of a column is determined from its first rows (:func:`notation_of`); all its values must use it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Float64 = npt.NDArray[np.float64]

#: Words for an unknown value, in addition to the empty text. ``telemetry.nulls`` adds to them.
NULLS = (
    *("", " ", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA"),
    *("NULL", "NaN", "n/a", "nan", "null", "<NA>", "None", "(null)", "\\N"),
)
#: Words for 1 and for 0. A mixed pair, such as yes and off, is not a column of states.
STATES = (
    ("true", "false"),
    ("up", "down"),
    ("on", "off"),
    ("yes", "no"),
    ("enabled", "disabled"),
    ("active", "inactive"),
    ("online", "offline"),
    ("open", "closed"),
    ("reachable", "unreachable"),
)
# Plain digits, or thousands separated by a comma, a quote, a space or a dot; not addresses or version numbers.
_DIGITS = (
    r"[+-]?(?:\d+[.,]?\d*|[.,]\d+|\d{1,3}(?:,\d{3})+(?:\.\d*)?"
    r"|\d{1,3}(?:['\x{2019} \x{a0}\x{202f}]\d{3})+(?:[.,]\d*)?"
    r"|\d{1,3}(?:\.\d{3})+,\d*|\d{1,3}(?:\.\d{3}){2})(?:[eE][+-]?\d+)?"
)
_PATTERN = rf"^\s*(?P<number>{_DIGITS})\s*(?P<unit>[%‰°µμΩ\p{{L}}][^\d]*)?\s*$"
# Minimum fraction of values with the unit of the column; other units are errors.
_MAIN_UNIT = 0.8
_SPACES = r"['\x{2019} \x{a0}\x{202f}]"
_PREFIXES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
# Unit families whose prefixes may be mixed in one column; the factor converts to the first unit.
_FAMILIES: tuple[dict[str, float], ...] = (
    {"s": 1, "sec": 1, "secs": 1, "seconds": 1, "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6}
    | {"ns": 1e-9, "min": 60, "mins": 60, "h": 3600, "d": 86400},
    {f"{prefix}{unit}": factor for prefix, factor in _PREFIXES.items()
     for unit in ("bit/s", "bps", "b/s", "bits/s", "bits/sec")},
    {f"{prefix}{unit}": factor for prefix, factor in _PREFIXES.items()
     for unit in ("B/s", "Bps", "byte/s", "bytes/s")},
    {"B": 1, "bytes": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
    | {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40},
    {f"{prefix}Hz": 10.0**power for prefix, power in (("", 0), ("k", 3), ("M", 6), ("G", 9))},
    {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12},
    {"W": 1, "mW": 1e-3, "kW": 1e3},
    {"V": 1, "mV": 1e-3, "kV": 1e3},
    {"A": 1, "mA": 1e-3},
)  # fmt: skip

_KNOWN_UNITS = {unit for family in _FAMILIES for unit in family if len(unit) > 1} | {
    "%",
    "°C",
    "°F",
    "dBm",
    "dB",
    "rpm",
}


@dataclass(frozen=True)
class Notation:
    """The notation of the values of a column.

    Attributes
    ----------
    decimal : str
        ``.`` or ``,``.
    units : dict
        Unit → factor; empty if there are none. A single unit has the factor 1: its name and scale are unchanged.
    states : tuple of str
        The words for 1 and 0, for a column of states.
    grouped : bool
        Whether there are thousands separators.
    """

    decimal: str = "."
    units: tuple[tuple[str, float], ...] = ()
    states: tuple[str, ...] = ()
    grouped: bool = False

    def __str__(self) -> str:
        if self.states:
            return f"{self.states[0]} is 1, {self.states[1]} is 0"
        words = [f"in {self.units[0][0]}"] if len(self.units) == 1 else []
        if len(self.units) > 1:
            base = _base(self.units[0][0])
            words = [f"{', '.join(unit or 'no unit' for unit, _ in self.units)}, all in {base or 'units'}"]
        if self.decimal == ",":
            words.append("decimal comma")
        if self.grouped:
            words.append("thousands separators")
        return "; ".join(words)


class AmbiguousNumbersError(ValueError):
    """Values such as ``1,234`` may have a thousands separator or a decimal comma."""

    def __init__(self, row: int, value: str) -> None:
        super().__init__(value)
        self.row, self.value = row, value


def nulls_as_none(text: pa.Array, nulls: Sequence[str]) -> pa.Array:
    """Replace the words for unknown values with null."""
    trimmed = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.is_in(trimmed, pa.array(nulls)), pa.scalar(None, pa.string()), trimmed)


def notation_of(values: Iterable[pa.Array], decimal: str = "") -> Notation | None:
    """Determine the notation of a column.

    Parameters
    ----------
    values : iterable of pyarrow.Array
        The column as text, in any number of arrays, null where unknown.
    decimal : str
        ``.`` or ``,`` if known; empty to detect it.

    Returns
    -------
    Notation or None
        None if less than half of the values are numbers or states in one notation.

    Raises
    ------
    AmbiguousNumbersError
        If a comma may be either.
    """
    found = _Evidence()
    for array in values:
        found.add(array)
    if not found.known:
        return None
    if states := found.states_pair():
        return Notation(states=states)
    units = _units_of(found.units)
    if 2 * found.numbers <= found.known or units is None:
        return None
    mark = decimal or found.decimal()
    return Notation(mark, units, (), found.grouped(mark))


class _Evidence:
    """Evidence of the notation in the values of a column."""

    def __init__(self) -> None:
        self.known = self.numbers = self.row = 0
        self.units: dict[str, int] = {}
        self.words: set[str] | None = set()
        self.comma_decimal = self.comma_group = self.dot_group = False
        self.comma_unclear: tuple[int, str] | None = None
        self.spaced = False

    def add(self, text: pa.Array) -> None:
        values = pc.unique(text).drop_null()
        self.known += len(text) - text.null_count
        if self.words is not None:
            words = set(pc.utf8_lower(values.slice(0, 10)).to_pylist()) if len(values) <= 10 else None
            self.words = None if words is None else self.words | words
        found = pc.extract_regex(text, pattern=_PATTERN)
        good = found.is_valid()
        self.numbers += pc.sum(good).as_py() or 0
        units = pc.utf8_trim_whitespace(pc.struct_field(found, "unit").drop_null())
        for item in pc.value_counts(units).to_pylist():
            self.units[item["values"]] = self.units.get(item["values"], 0) + item["counts"]
        self._separators(pc.unique(pc.struct_field(found, "number").drop_null()), text)
        self.row += len(text)

    def _separators(self, numbers: pa.Array, text: pa.Array) -> None:
        def some(pattern: str) -> bool:
            return bool(pc.any(pc.match_substring_regex(numbers, pattern)).as_py())

        self.spaced |= some(_SPACES)
        if not some(","):
            return
        self.comma_group |= some(r",\d{3},\d{3}") or some(r",\d{3}\.")
        self.dot_group |= some(r"\.\d{3},") or some(r"\.\d{3}\.\d{3}")
        self.comma_decimal |= self.dot_group or some(r"^[+-]?0?,\d") or some(r",(\d{1,2}|\d{4,})([eE].*)?$")
        if self.comma_unclear is None:
            single = pc.match_substring_regex(text, r"^\s*[+-]?\d{1,3},\d{3}(\s*[^\d.,]*)$")
            index = pc.index(single, True).as_py()
            if index >= 0:
                self.comma_unclear = self.row + index, text[index].as_py()

    def states_pair(self) -> tuple[str, ...] | None:
        if not self.words:
            return None
        return next((pair for pair in STATES if self.words <= set(pair)), None)

    def decimal(self) -> str:
        if self.comma_decimal and not self.comma_group:
            return ","
        if self.comma_unclear is not None and not self.comma_group:
            raise AmbiguousNumbersError(*self.comma_unclear)
        return "."

    def grouped(self, decimal: str) -> bool:
        return self.spaced or (self.dot_group if decimal == "," else self.comma_group or bool(self.comma_unclear))


def _units_of(found: dict[str, int]) -> tuple[tuple[str, float], ...] | None:
    """Return the factors of some units; None if they cannot be mixed."""
    if set(found) <= {""}:
        return ()
    if len(found) == 1:
        return tuple((unit, 1.0) for unit in found)
    for family in _FAMILIES:
        if set(found) <= set(family):
            return tuple((unit, family[unit]) for unit in found)
    main = max(found, key=found.__getitem__)
    if found[main] < _MAIN_UNIT * sum(found.values()) and not set(found) & _KNOWN_UNITS:
        return None
    return ((main, 1.0),) if main else ()  # the others are reported with their rows


def _base(unit: str) -> str:
    family = next((known for known in _FAMILIES if unit in known), {unit: 1.0})
    return next(base for base, factor in family.items() if factor == 1)


def read_numbers(text: pa.Array, notation: Notation) -> tuple[Float64, int | None]:
    """Parse a column in its notation.

    Parameters
    ----------
    text : pyarrow.Array
        Null where unknown.

    Returns
    -------
    values : float64 array
        NaN where unknown.
    wrong : int or None
        The first row that is not in this notation.
    """
    encoded = text.dictionary_encode()
    values, codes = encoded.dictionary, encoded.indices
    numbers, good = _states(values, notation) if notation.states else _numbers(values, notation)
    indices = codes.fill_null(len(values)).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(~np.append(good, True)[indices])
    return np.append(numbers, np.nan)[indices], int(wrong[0]) if len(wrong) else None


def _states(values: pa.Array, notation: Notation) -> tuple[Float64, npt.NDArray[np.bool_]]:
    index = pc.index_in(pc.utf8_lower(values), pa.array([notation.states[1], notation.states[0]]))
    found = pc.fill_null(index, -1).to_numpy(zero_copy_only=False).astype(np.float64)
    return found, found >= 0


def _numbers(values: pa.Array, notation: Notation) -> tuple[Float64, npt.NDArray[np.bool_]]:
    found = pc.extract_regex(values, pattern=_PATTERN)
    digits, units = pc.struct_field(found, "number"), pc.fill_null(pc.struct_field(found, "unit"), "")
    other = "," if notation.decimal == "." else "."
    plain = pc.replace_substring_regex(digits, _SPACES, "")
    group = rf"^[+-]?\d{{1,3}}(\{other}\d{{3}})+(\{notation.decimal}\d*)?$"
    grouped = pc.match_substring_regex(plain, group)
    plain = pc.if_else(grouped, pc.replace_substring(plain, other, ""), plain)
    if notation.decimal == ",":
        # A number in the other notation, such as 1.5 in a column with decimal commas, is an error.
        plain = pc.if_else(pc.match_substring(plain, "."), None, pc.replace_substring(plain, ",", "."))
    good = pc.match_substring_regex(plain, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    good = pc.fill_null(good, False)
    numbers = pc.if_else(good, plain, None).cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
    factors = dict(notation.units) or {"": 1.0}
    names = pc.utf8_trim_whitespace(units).to_pylist()
    known = np.array([name in factors for name in names], bool)
    return (
        numbers * np.array([factors.get(name, np.nan) for name in names], np.float64),
        good.to_numpy(zero_copy_only=False) & known,
    )
