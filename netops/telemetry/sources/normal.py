"""Convert the columns of a file to the normal form; errors name file, column and row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from netops.errors import NetopsError
from netops.telemetry.columns.quantities import NULLS, Notation, nulls_as_none, read_numbers
from netops.telemetry.columns.roles import Layout, listed
from netops.telemetry.dataset import TIME_TYPE
from netops.telemetry.reading import SourceReport
from netops.telemetry.schema import DEVICE, TIMESTAMP
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.times.columns import MONTH_FIRST, PERFMON
from netops.telemetry.times.reader import TimeReader, Times
from netops.telemetry.times.unreadable import UnreadableValueError

_PACKED = (".gz", ".bz2", ".zst", ".xz", ".lz4", ".zip")
_PLAIN = (
    ".csv",
    ".tsv",
    ".txt",
    ".tab",
    ".dat",
    ".jsonl",
    ".ndjson",
    ".json",
    ".parquet",
    ".pq",
    ".feather",
    ".arrow",
)
_EXCEL = (".xlsx", ".xls", ".xlsm", ".ods")

NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_TRUE, _FALSE = ["1", "1.0", "true", "t", "yes"], ["0", "0.0", "false", "f", "no"]
UNSET = "samples set aside, of a clock that was not set yet (before 2000)"


def device_named_after(file: Path) -> str:
    """Return the device name of a file with one device: the file name without ``.csv.gz`` and similar."""
    name = file.name
    for endings in (_PACKED, (*_PLAIN, *_EXCEL)):
        ending = next((known for known in endings if name.lower().endswith(known)), "")
        name = name[: len(name) - len(ending)]
    return name or file.name


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is text, dictionary-encoded or not."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_number(kind: pa.DataType) -> bool:
    """Return whether a type counts as numeric; true and false are 1 and 0."""
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    return any(test(kind) for test in tests)


def not_a_number(where: str, name: str, location: str, value: object) -> NetopsError:
    """Create the error for text among numbers."""
    return NetopsError(
        f"{where}: column '{name}', {location}: {value!r} is not a number; fix it, declare it as an unknown value: "
        f"--set {listed('telemetry.nulls', str(value))}, or exclude the column: "
        f"--set {listed('telemetry.exclude', name)}"
    )


@dataclass
class _Text:
    """How many values of a text column could be numbers, and the first row that could not."""

    known: int = 0
    numeric: int = 0
    row: int = -1
    value: str = ""


class Normaliser:
    """Convert the batches of one file to the normal form.

    Parameters
    ----------
    layout : Layout
        The roles of its columns.
    where : str
        The file, for errors.
    device : str
        The name of the device if there is no device column.
    location : callable, optional
        Returns the position of a row; default: ``row 12``, counted from 1.
    settings : TelemetrySettings, optional
        Notation and zone of times.
    quantities : mapping, optional
        Text column → notation of its numbers.
    nulls : sequence of str
        Words for unknown values.
    report : SourceReport, optional
        Records how the columns were read, and what was dropped.
    """

    def __init__(
        self,
        layout: Layout,
        where: str,
        device: str,
        *,
        location: Callable[[int], str] | None = None,
        settings: TelemetrySettings | None = None,
        quantities: Mapping[str, Notation] | None = None,
        nulls: Sequence[str] = NULLS,
        report: SourceReport | None = None,
    ) -> None:
        self.ignored = dict(layout.ignored)
        self.location = location or (lambda row: f"row {row + 1}")
        self.report = report or SourceReport(where)
        self._layout, self._where, self._device = layout, where, device
        settings = settings or TelemetrySettings()
        perfmon = PERFMON.match(layout.time)
        self._has_format = bool(settings.time_format)
        self._bias = int(perfmon["bias"]) * 60 * 10**9 if perfmon and not settings.timezone else 0
        self._read_times = TimeReader(
            settings.time_format, settings.timezone, month_first=MONTH_FIRST.match(layout.time) is not None
        )
        self._quantities, self._nulls = dict(quantities or {}), nulls
        self._rows = 0
        self._texts: dict[str, _Text] = {}

    def __call__(self, batch: pa.RecordBatch | pa.Table) -> pa.Table:
        """Convert one batch, rows in the order of the file; rows of a clock that was not set are dropped."""
        table = pa.table(batch) if isinstance(batch, pa.RecordBatch) else batch
        devices = self._devices(table)
        times = self._times(table, devices)
        columns = {TIMESTAMP: pa.array(times.nanoseconds).cast(TIME_TYPE), DEVICE: devices}
        for name, target in self._layout.flags.items():
            columns[target] = self._flags(name, table.column(name))
        for name in (*self._layout.metric_names, *self._layout.values):
            if (column := self._value(name, table.column(name))) is not None:
                columns[name] = column
        if self._layout.value:
            columns[self._layout.value] = self._measured(self._layout.value, table.column(self._layout.value))
        first, self._rows = self._rows, self._rows + table.num_rows
        found = pa.table(columns)
        return found if not times.unset.any() else self._without_unset(found, table, times, first)

    def _without_unset(self, found: pa.Table, table: pa.Table, times: Times, first: int) -> pa.Table:
        row = int(times.unset.argmax())
        value = "" if UNSET in self.report.dropped else str(table.column(self._layout.time)[row].as_py())
        where = "" if UNSET in self.report.dropped else self.location(first + row)
        self.report.drop(UNSET, int(times.unset.sum()), where, value)
        if 2 * self.report.dropped[UNSET].count > self._rows and len(times.unset) > 1:
            raise self._wrong(self._layout.time, row, f"{value!r} is before 2000, as most times are", first)
        return found.filter(pa.array(~times.unset))

    def finish(self) -> None:
        """Raise for text columns that contain mostly numbers, and record how times were read."""
        if not self._rows:
            raise NetopsError(f"{self._where}: no samples, only column names")
        for name, seen in self._texts.items():
            if 2 * seen.numeric > seen.known > seen.numeric:
                raise not_a_number(self._where, name, self.location(seen.row), seen.value)
        self.report.rows += self._rows
        self.report.notation = self._read_times.notation
        self.report.zone = f"UTC{-self._bias / 3.6e12:+g}h" if self._bias else self._read_times.zone
        if repeated := self._read_times.repeated:
            note = f"{repeated:,} times in the repeated hour of daylight saving time were resolved by row order"
            self.report.notes.append(f"{self._where}: {note}")

    def _wrong(self, name: str, row: int, problem: str, first: int | None = None) -> NetopsError:
        location = self.location((self._rows if first is None else first) + row)
        return NetopsError(f"{self._where}: column '{name}', {location}: {problem}")

    def _times(self, table: pa.Table, devices: pa.Array) -> Times:
        name = self._layout.time
        column = _one(table.column(name))
        if len(self._layout.times) > 1:
            name = "+".join(self._layout.times)
            parts = [_as_text(_one(table.column(part))) for part in self._layout.times]
            column = pc.binary_join_element_wise(*parts, " ")
        owners = None
        if self._read_times.needs_owners and self._layout.devices:
            owners = devices.to_pylist()
        try:
            times = self._read_times(column, owners)
        except UnreadableValueError as error:
            value = "an empty value" if error.value in (None, "") else repr(error.value)
            known = error.value in (None, "") or self._has_format or "--set" in error.problem
            hint = "" if known else "; name its format with --set telemetry.time_format=…"
            raise self._wrong(name, error.row, f"{value} is {error.problem}{hint}") from None
        return Times(times.nanoseconds + self._bias, times.unset) if self._bias else times

    def _devices(self, table: pa.Table) -> pa.Array:
        if not self._layout.devices:
            return pa.repeat(self._device, table.num_rows)
        parts = []
        for name in self._layout.devices:
            part = _as_text(_one(table.column(name)))
            empty = pc.equal(pc.fill_null(part, ""), "")
            if pc.any(empty).as_py():
                raise self._wrong(name, pc.index(empty, True).as_py(), "no device")
            parts.append(part)
        return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "/")

    def _flags(self, name: str, column: pa.ChunkedArray) -> pa.Array:
        text = pc.utf8_lower(_as_text(_one(column)))
        yes, no = (pc.is_in(text, pa.array(words)) for words in (_TRUE, _FALSE))
        wrong = pc.invert(pc.or_(yes, no))
        if pc.any(wrong).as_py():
            row = pc.index(wrong, True).as_py()
            raise self._wrong(name, row, f"{text[row].as_py()!r} is neither 0 nor 1")
        return yes

    def _value(self, name: str, column: pa.ChunkedArray) -> pa.Array | None:
        if name in self._quantities:
            return self._quantity(name, column)
        if is_number(column.type) and name not in self._layout.metric_names:
            return _as_floats(column)
        if is_text(column.type) or name in self._layout.metric_names:
            text = _one(column).cast(pa.string())
            text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
            if name not in self._layout.metric_names:
                self._watch(name, text)
            return text
        self.ignored[name] = f"neither numbers nor text ({column.type})"
        return None

    def _measured(self, name: str, column: pa.ChunkedArray) -> pa.Array:
        """Return the values of long form, which must be numbers."""
        if name in self._quantities:
            return self._quantity(name, column)
        if is_number(column.type):
            return _as_floats(column)
        return self._quantity(name, column, Notation())

    def _quantity(self, name: str, column: pa.ChunkedArray, notation: Notation | None = None) -> pa.Array:
        notation = notation or self._quantities[name]
        text = nulls_as_none(_one(column).cast(pa.string()), self._nulls)
        values, wrong = read_numbers(text, notation)
        if wrong is not None:
            how = f"; the other values are written {notation}" if str(notation) else ""
            location = self.location(self._rows + wrong)
            raise NetopsError(f"{not_a_number(self._where, name, location, text[wrong].as_py())}{how}")
        return pa.array(values)

    def _watch(self, name: str, text: pa.Array) -> None:
        seen = self._texts.setdefault(name, _Text())
        numeric = pc.fill_null(pc.match_substring_regex(text, NUMBER), True)
        seen.known += len(text) - text.null_count
        seen.numeric += pc.sum(numeric).as_py() - text.null_count if len(text) else 0
        if seen.row < 0 and not pc.all(numeric).as_py():
            row = pc.index(numeric, False).as_py()
            seen.row, seen.value = self._rows + row, text[row].as_py()


def _as_floats(column: pa.ChunkedArray) -> pa.ChunkedArray:
    whole = column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column
    return whole.cast(pa.float64(), safe=False)


def _one(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        return joined.chunk(0) if joined.num_chunks else pa.array([], joined.type)
    return joined


def _as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_floating(column.type):  # 3.0 and 3 are the same device, and the same flag
        whole = column.cast(pa.int64(), safe=False)
        if pc.all(pc.equal(whole.cast(pa.float64()), column)).as_py():
            column = whole
    return pc.utf8_trim_whitespace(column.cast(pa.string()))
