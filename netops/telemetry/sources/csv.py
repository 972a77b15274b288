"""Telemetry in a CSV file, plain or compressed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from netops.errors import NetopsError
from netops.telemetry.columns import Layout, layout_of
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.normal import NUMBER, Normaliser, device_named_after, is_number, is_text

_BLOCK = 8 << 20
# What a compressed file grows to when it is unpacked: rough, to decide how much is held at a time.
_GROWTH = 6
# Beside NUMBER, what pyarrow reads as a float.
_ODD_NUMBER = r"(?i)^\s*[+-]?(inf|infinity|nan)\s*$"


class CsvSource:
    """One CSV file with a header (see ``protocol.Source``)."""

    def __init__(self, path: Path, settings: TelemetrySettings) -> None:
        self.name, self._path, self._settings = str(path), path, settings
        self.ignored: dict[str, str] = {}
        self.done = 0
        self.size = path.stat().st_size
        self.memory = 2 * self.size * (1 if path.name.lower().endswith(".csv") else _GROWTH)

    def batches(self) -> Iterator[pa.Table]:
        """Read it, a block at a time, each column in the type that was found for it first."""
        head, whole = self._head()
        layout = layout_of(head.schema.names, self._settings, self.name)
        normalise = Normaliser(layout, self.name, device_named_after(self._path), header_lines=1)
        types = _types(head, layout)
        if not whole:
            types |= self._types_of_empty(head)
        wanted = [name for name in head.schema.names if name not in layout.ignored]
        try:
            for batch in self._read(types, include_columns=wanted):
                yield normalise(batch)
        except (pa.ArrowInvalid, OSError) as error:
            self._find_text(types, normalise, error)
            raise self._unreadable(error) from None
        normalise.finish()
        self.ignored, self.done = normalise.ignored, self.size

    def _read(self, types: dict[str, pa.DataType], **convert: Any) -> Iterator[pa.RecordBatch]:
        options = pcsv.ConvertOptions(column_types=types, strings_can_be_null=True, **convert)
        reading = pcsv.ReadOptions(block_size=_BLOCK)
        with self._stream() as stream:
            yield from pcsv.open_csv(stream, reading, pcsv.ParseOptions(delimiter=self._delimiter()), options)

    def _stream(self) -> Any:
        return pa.input_stream(str(self._path), compression="detect")

    def _delimiter(self) -> str:
        with self._stream() as stream:
            header = stream.read(1 << 16).split(b"\n", 1)[0]
        if header.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise NetopsError(f"{self._path}: not a readable CSV file: UTF-16; save it as UTF-8")
        return max(",", ";", "\t", key=lambda mark: header.count(mark.encode()))

    def _head(self) -> tuple[pa.RecordBatch, bool]:
        """Read the first block with the types that pyarrow finds, and say whether that is the whole file."""
        try:
            batches = self._read({})
            head = next(batches, None)
        except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from None
        if head is None:
            raise NetopsError(f"{self._path}: no samples in it, only the names of columns")
        try:
            return head, next(batches, None) is None
        except pa.ArrowInvalid:
            return head, False

    def _types_of_empty(self, head: pa.RecordBatch) -> dict[str, pa.DataType]:
        """Look further for the types of the columns that are empty in the first block."""
        empty = [name for name in head.schema.names if pa.types.is_null(head.schema.field(name).type)]
        if not empty:
            return {}
        known, numeric = dict.fromkeys(empty, 0), dict.fromkeys(empty, 0)
        for batch in self._read(dict.fromkeys(empty, pa.string()), include_columns=empty):
            for name in empty:
                column = batch.column(name)
                known[name] += len(column) - column.null_count
                numeric[name] += pc.sum(_numeric(column)).as_py() or 0
        return {name: pa.float64() if 2 * numeric[name] >= known[name] else pa.string() for name in empty}

    def _find_text(self, types: dict[str, pa.DataType], normalise: Normaliser, error: Exception) -> None:
        """Name the first value that is not of its column's type; pyarrow does not say in which row it is."""
        if "conversion error" not in str(error):
            return
        numbers = [name for name, kind in types.items() if not is_text(kind)]
        row = 0
        for batch in self._read(dict.fromkeys(numbers, pa.string()), include_columns=numbers):
            for name in numbers:
                column, numeric = batch.column(name), _numeric(batch.column(name))
                if not pc.all(pc.fill_null(numeric, True)).as_py():
                    place = pc.index(numeric, False).as_py()
                    raise normalise.not_a_number(name, row + place, column[place].as_py())
            row += batch.num_rows

    def _unreadable(self, error: Exception) -> NetopsError:
        found = re.search(r"Expected (\d+) columns, got (\d+)", str(error))
        if not found:
            return NetopsError(f"{self._path}: {_reason(str(error).splitlines()[0])}")
        row = self._first_ragged_row()
        return NetopsError(
            f"{self._path}: row {row} (line {row + 1}): {found[2]} values where the header has {found[1]}"
        )

    def _first_ragged_row(self) -> int:
        rows: list[int] = []

        def note(row: Any) -> str:
            rows.append(row.number)
            return "error"

        parsing = pcsv.ParseOptions(delimiter=self._delimiter(), invalid_row_handler=note)
        with self._stream() as stream:
            try:  # row numbers are known to a single thread only
                for _ in pcsv.open_csv(stream, pcsv.ReadOptions(use_threads=False, block_size=_BLOCK), parsing):
                    pass
            except pa.ArrowInvalid:
                pass
        return (rows[0] or 2) - 1 if rows else 1


def _reason(message: str) -> str:
    if "block: cannot infer" in message:
        return "no samples in it, only the names of columns"
    return "the file is empty" if "Empty CSV" in message else f"not a readable CSV file: {message}"


def _types(head: pa.RecordBatch, layout: Layout) -> dict[str, pa.DataType]:
    types = {layout.time: pa.string(), **dict.fromkeys(layout.flags, pa.string())}
    if layout.device is not None:
        types[layout.device] = pa.string()
    return types | {name: _type(head.column(name)) for name in layout.values}


def _type(column: pa.Array) -> pa.DataType:
    if pa.types.is_boolean(column.type):
        return pa.bool_()
    if is_number(column.type):
        return pa.float64()
    if is_text(column.type) and 2 * (pc.sum(_numeric(column)).as_py() or 0) > len(column) - column.null_count:
        return pa.float64()  # text among numbers: reading them as such finds the row
    return pa.string()


def _numeric(column: pa.Array) -> pa.Array:
    return pc.or_(pc.match_substring_regex(column, NUMBER), pc.match_substring_regex(column, _ODD_NUMBER))
