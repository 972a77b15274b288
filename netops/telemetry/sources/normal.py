"""From the columns of a file to the normal form, with errors that name file, column and row."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from netops.errors import NetopsError
from netops.telemetry.columns import Layout
from netops.telemetry.dataset import TIME_TYPE
from netops.telemetry.schema import DEVICE, TIMESTAMP
from netops.telemetry.times import UnreadableValueError, parse_times

CSV = (".csv", ".csv.gz", ".csv.bz2", ".csv.zst")
KNOWN = (*CSV, ".parquet", ".pq")

NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_TRUE, _FALSE = ["1", "1.0", "true", "t", "yes"], ["0", "0.0", "false", "f", "no"]


def device_named_after(file: Path) -> str:
    """Name the device that a whole file is about: the file's name without ``.csv.gz`` and the like."""
    ending = max((known for known in KNOWN if file.name.lower().endswith(known)), key=len, default="")
    return file.name[: len(file.name) - len(ending)] or file.name


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a type is text, dictionary-encoded or not."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a type counts as numeric; true and false are 1 and 0."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    return any(test(kind) for test in tests)


@dataclass
class _Text:
    """How much of a text column could be numbers, and its first row that could not."""

    known: int = 0
    numeric: int = 0
    row: int = -1
    value: str = ""


class Normaliser:
    """Turns the batches of one file into the normal form.

    Parameters
    ----------
    layout : Layout
        What its columns are.
    where : str
        The file, for errors.
    device : str
        The name of the device where there is no device column.
    header_lines : int
        Lines before the first row: 1 for CSV, 0 where rows are no lines.
    """

    def __init__(self, layout: Layout, where: str, device: str, header_lines: int = 0) -> None:
        self.ignored = dict(layout.ignored)
        self._layout, self._where, self._device, self._header = layout, where, device, header_lines
        self._rows = 0
        self._unit: int | None = None
        self._texts: dict[str, _Text] = {}

    def __call__(self, batch: pa.RecordBatch | pa.Table) -> pa.Table:
        """Convert one batch, rows in the order of the file."""
        table = pa.table(batch) if isinstance(batch, pa.RecordBatch) else batch
        columns = {TIMESTAMP: self._times(table), DEVICE: self._devices(table)}
        for name, target in self._layout.flags.items():
            columns[target] = self._flags(name, table.column(name))
        for name in self._layout.values:
            if (column := self._value(name, table.column(name))) is not None:
                columns[name] = column
        self._rows += table.num_rows
        return pa.table(columns)

    def finish(self) -> None:
        """Refuse text columns that turned out to be numbers for the most part."""
        if not self._rows:
            raise NetopsError(f"{self._where}: no samples in it, only the names of columns")
        for name, seen in self._texts.items():
            if 2 * seen.numeric > seen.known > seen.numeric:
                raise self.not_a_number(name, seen.row, seen.value)

    def place(self, row: int) -> str:
        """Say where a row is: counted from 1, and as a line where rows are lines."""
        line = f" (line {row + 1 + self._header})" if self._header else ""
        return f"row {row + 1}{line}"

    def not_a_number(self, name: str, row: int, value: object) -> NetopsError:
        """Make the error for text among numbers."""
        return NetopsError(
            f"{self._where}: column '{name}', {self.place(row)}: {value!r} is not a number; "
            "mend it, or leave the column out in the configuration under telemetry: exclude"
        )

    def _wrong(self, name: str, row: int, problem: str) -> NetopsError:
        return NetopsError(f"{self._where}: column '{name}', {self.place(self._rows + row)}: {problem}")

    def _times(self, table: pa.Table) -> pa.Array:
        name = self._layout.time
        try:
            times, self._unit = parse_times(_one(table.column(name)), self._unit)
        except UnreadableValueError as error:
            value = "an empty value" if error.value in (None, "") else repr(error.value)
            raise self._wrong(name, error.row, f"{value} is {error.problem}") from None
        return pa.array(times).cast(TIME_TYPE)

    def _devices(self, table: pa.Table) -> pa.Array:
        name = self._layout.device
        if name is None:
            return pa.repeat(self._device, table.num_rows)
        devices = _as_text(_one(table.column(name)))
        empty = pc.equal(pc.fill_null(devices, ""), "")
        if pc.any(empty).as_py():
            raise self._wrong(name, pc.index(empty, True).as_py(), "no device")
        return devices

    def _flags(self, name: str, column: pa.ChunkedArray) -> pa.Array:
        text = pc.utf8_lower(_as_text(_one(column)))
        yes, no = (pc.is_in(text, pa.array(words)) for words in (_TRUE, _FALSE))
        wrong = pc.invert(pc.or_(yes, no))
        if pc.any(wrong).as_py():
            row = pc.index(wrong, True).as_py()
            raise self._wrong(name, row, f"{text[row].as_py()!r} is neither 0 nor 1")
        return yes

    def _value(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray | None:
        if is_number(column.type):
            return column.cast(pa.uint8() if pa.types.is_boolean(column.type) else column.type).cast(
                pa.float64(), safe=False
            )
        if is_text(column.type):
            text = _one(column).cast(pa.string())
            self._watch(name, text)
            return text
        self.ignored[name] = f"neither numbers nor text ({column.type})"
        return None

    def _watch(self, name: str, text: pa.Array) -> None:
        seen = self._texts.setdefault(name, _Text())
        numeric = pc.fill_null(pc.match_substring_regex(text, NUMBER), True)
        seen.known += len(text) - text.null_count
        seen.numeric += pc.sum(numeric).as_py() - text.null_count if len(text) else 0
        if seen.row < 0 and not pc.all(numeric).as_py():
            row = pc.index(numeric, False).as_py()
            seen.row, seen.value = self._rows + row, text[row].as_py()


def _one(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        return joined.chunk(0) if joined.num_chunks else pa.array([], joined.type)
    return joined


def _as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_floating(column.type):  # 3.0 and 3 are one device, and one truth
        whole = column.cast(pa.int64(), safe=False)
        if pc.all(pc.equal(whole.cast(pa.float64()), column)).as_py():
            column = whole
    return pc.utf8_trim_whitespace(column.cast(pa.string()))
