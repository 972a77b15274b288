"""Delimited text: CSV and similar formats with any delimiter, compression and encoding."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from netops.errors import NetopsError
from netops.telemetry.columns.quantities import NULLS
from netops.telemetry.columns.roles import refuse_twins
from netops.telemetry.sources.content import GROWTH, ByteStream, Content, not_utf8
from netops.telemetry.sources.header import Header, NoHeaderError, find_header, header_in
from netops.telemetry.sources.normal import NUMBER, is_number, is_text, not_a_number

_BLOCK = 8 << 20
# In addition to NUMBER, text that pyarrow reads as a float.
_ODD_NUMBER = r"(?i)^\s*[+-]?(inf|infinity|nan)\s*$"
_FIRST = 1000
_MARKS = {",": "','", ";": "';'", "\t": "tabs", "|": "'|'"}
csv.field_size_limit(1 << 24)


class CsvTable:
    """One table of delimited text (see ``raw.RawTable``).

    Parameters
    ----------
    content : Content
        The file.
    header : Header
    nulls : sequence of str
        Words for unknown values, in addition to the usual ones.
    section : tuple of bytes and int, optional
        If the file contains several tables: the text of this one, and its first line.
    """

    def __init__(
        self, content: Content, header: Header, nulls: Sequence[str] = (), section: tuple[bytes, int] | None = None
    ) -> None:
        self.where, self._content, self.header = str(content.path), content, header
        self._section, self.held = section, section is not None
        self.nulls = (*NULLS, *nulls)
        refuse_twins(header.names, self.where)
        self.names = header.names
        self.size, self.done = content.path.stat().st_size, 0
        plain = not content.compression
        self.memory = 2 * self.size * (1 if plain else GROWTH)
        self.format = ", ".join(
            [
                "CSV",
                f"{_MARKS.get(header.delimiter, repr(header.delimiter))} between values",
                *([content.compression] if content.compression else []),
                *([content.encoding.upper()] if content.encoding != "utf-8" else []),
            ]
        )
        self.notes = [f"{self.where}: {header.preamble}"] if header.preamble else []
        self.remarks = 0
        self._head: tuple[pa.RecordBatch, bool] | None = None

    def first_rows(self) -> pa.Table:
        """Return the first rows as text."""
        if self._section is not None:
            text = self._section[0].decode()
        else:
            text = self._content.head
            if not self._content.whole and "\n" in text:
                text = text[: text.rindex("\n") + 1]
        records = islice(self._records(text.splitlines(keepends=True)), _FIRST)
        rows = [values for _, values in records if len(values) == len(self.names)]
        columns = zip(*rows, strict=True) if rows else [[] for _ in self.names]
        return pa.table([pa.array(list(column), pa.string()) for column in columns], names=list(self.names))

    def scan(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Read some columns of all rows as text."""
        names = list(dict.fromkeys(names))
        try:
            for batch in self._read(dict.fromkeys(names, pa.string()), names):
                yield pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from None

    def read(self, names: Sequence[str], text: Sequence[str]) -> Iterator[pa.Table]:
        """Read the table in blocks; each column has the type of the first block."""
        types = self.types(names, text)
        try:
            for batch in self._read(types, list(names)):
                yield pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
            self._find_text(types, error)
            raise self._unreadable(error) from None
        self.done = self.size

    def types(self, names: Sequence[str], text: Sequence[str]) -> dict[str, pa.DataType]:
        """Find the type of each column in the first block, or in the complete file if it is empty there."""
        head, whole = self._first_block()
        types = {name: pa.string() if name in text else self._type(head.column(name)) for name in names}
        if not whole:
            types |= self._types_of_empty(head, [name for name in names if name not in text])
        return types

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row as text, with its first line and any number of values."""
        try:
            with self._text() as stream:
                yield from self._records(stream)
        except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from None

    def location(self, row: int) -> str:
        """Return the position of a row, with its line."""
        with self._text() as stream:
            line = next((line for line, _ in islice(self._records(stream), row, row + 1)), 0)
        return f"row {row + 1} (line {line})" if line else f"row {row + 1}"

    def _read(self, types: dict[str, pa.DataType], names: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        options = pcsv.ConvertOptions(
            column_types=types,
            strings_can_be_null=False,
            null_values=list(self.nulls),
            include_columns=names or [],
        )
        skipped = self.header.line if self._section is None else 0
        reading = pcsv.ReadOptions(block_size=_BLOCK, skip_rows=skipped, column_names=list(self.names))
        parsing = pcsv.ParseOptions(
            delimiter=self.header.delimiter,
            newlines_in_values='"' in self._content.head,
            invalid_row_handler=self._on_invalid_row,
        )
        self.remarks = 0
        with self._stream() as stream:
            try:
                yield from pcsv.open_csv(stream, reading, parsing, options)
            except pa.ArrowInvalid as error:
                if not any(word in str(error) for word in ("Empty CSV", "cannot infer", "Could not skip initial")):
                    raise

    def _on_invalid_row(self, row: pcsv.InvalidRow) -> str:
        if _is_remark(row.text):
            self.remarks += 1
            return "skip"
        return "error"

    def _stream(self) -> ByteStream:
        return self._content.open() if self._section is None else pa.BufferReader(self._section[0])

    def _text(self) -> io.TextIOBase:
        if self._section is None:
            return self._content.text()

        return io.StringIO(self._section[0].decode(), newline="")

    def _records(self, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        """Split lines into rows, each with its first line, without header and comments."""
        first = 0 if self._section is None else self._section[1] - 1
        skipped = self.header.line if self._section is None else 0
        reader = csv.reader(lines, delimiter=self.header.delimiter)
        line = 1
        try:
            for values in reader:
                begin, line = line, reader.line_num + 1
                if begin <= skipped or not values or (_is_remark(values[0]) and len(values) != len(self.names)):
                    continue
                yield first + begin, values
        except csv.Error as error:
            raise NetopsError(f"{self.where}: line {first + line}: {error}") from None

    def _first_block(self) -> tuple[pa.RecordBatch, bool]:
        """Read the first block with the types that pyarrow finds, and return whether it is the whole file."""
        if self._head is not None:
            return self._head
        batches = self._read({})
        try:
            head = next(batches, None)
        except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from None
        if head is None:
            raise NetopsError(f"{self.where}: no samples, only column names")
        try:
            self._head = head, next(batches, None) is None
        except (pa.ArrowInvalid, OSError, UnicodeDecodeError):
            self._head = head, False
        return self._head

    def _type(self, column: pa.Array) -> pa.DataType:
        if pa.types.is_boolean(column.type):
            return pa.bool_()
        if is_number(column.type):
            return pa.float64()
        if is_text(column.type):
            known = pc.invert(pc.is_in(column, pa.array(self.nulls)))
            numeric = pc.sum(pc.and_(_numeric(column), known)).as_py() or 0
            if 2 * numeric > (pc.sum(known).as_py() or 0):
                return pa.float64()  # text among numbers: reading them as numbers finds the row
        return pa.string()

    def _types_of_empty(self, head: pa.RecordBatch, names: Sequence[str]) -> dict[str, pa.DataType]:
        """Find the types of the columns that are empty in the first block."""
        empty = [name for name in names if pa.types.is_null(head.schema.field(name).type)]
        if not empty:
            return {}
        known, numeric = dict.fromkeys(empty, 0), dict.fromkeys(empty, 0)
        for batch in self._read(dict.fromkeys(empty, pa.string()), empty):
            for name in empty:
                column = batch.column(name)
                valued = pc.invert(pc.is_in(column, pa.array(self.nulls)))
                known[name] += pc.sum(valued).as_py() or 0
                numeric[name] += pc.sum(pc.and_(_numeric(column), valued)).as_py() or 0
        return {name: pa.float64() if 2 * numeric[name] >= known[name] else pa.string() for name in empty}

    def _find_text(self, types: dict[str, pa.DataType], error: Exception) -> None:
        """Find the first value that is not of its column's type; pyarrow does not report the row."""
        if "conversion error" not in str(error) or "UTF8" in str(error):
            return
        numbers = [name for name, kind in types.items() if not is_text(kind)]
        row = 0
        for batch in self._read(dict.fromkeys(numbers, pa.string()), numbers):
            for name in numbers:
                column = batch.column(name)
                states = pc.is_in(pc.utf8_lower(column), pa.array(["true", "false", "0", "1"]))
                good = states if pa.types.is_boolean(types[name]) else _numeric(column)
                good = pc.or_(good, pc.is_in(column, pa.array(self.nulls)))
                if not pc.all(good).as_py():
                    index = pc.index(good, False).as_py()
                    raise not_a_number(self.where, name, self.location(row + index), column[index].as_py())
            row += batch.num_rows

    def _unreadable(self, error: Exception) -> NetopsError:
        if "UTF8" in str(error) or isinstance(error, UnicodeDecodeError):
            return self._find_bytes() or NetopsError(f"{self.where}: not {self._content.encoding} text")
        if not re.search(r"Expected (\d+) columns, got (\d+)", str(error)):
            return NetopsError(f"{self.where}: {_reason(str(error).splitlines()[0])}")
        with self._text() as stream:
            for row, (line, values) in enumerate(self._records(stream)):
                if len(values) != len(self.names):
                    return self._ragged(row, line, len(values))
        return NetopsError(f"{self.where}: {_reason(str(error).splitlines()[0])}")

    def _ragged(self, row: int, line: int, count: int) -> NetopsError:
        first = f"; line {self.header.line} was read as the header" if row == 0 else ""
        what = f"{count} values where the header has {len(self.names)}{first}"
        return NetopsError(f"{self.where}: row {row + 1} (line {line}): {what}")

    def _find_bytes(self) -> NetopsError | None:
        """Find the first bytes that are not text."""
        before = 0
        with self._content.open() as stream:
            rest = b""
            while chunk := stream.read(1 << 20):
                try:
                    (rest + chunk).decode()
                    rest = b""
                except UnicodeDecodeError as error:
                    if error.start < len(rest + chunk) - 4:
                        found = not_utf8(self._content.path, rest + chunk, error.start)
                        line = (rest + chunk).count(b"\n", 0, error.start) + 1
                        return NetopsError(str(found).replace(f"line {line}:", f"line {before + line}:", 1))
                    rest, chunk = (rest + chunk)[error.start :], (rest + chunk)[: error.start]
                before += chunk.count(b"\n")
        return None


def header_of(content: Content) -> Header:
    """Find the names of the columns in delimited text.

    Raises
    ------
    NetopsError
        If there are none.
    """
    try:
        return find_header(content.head, content.whole)
    except NoHeaderError as error:
        raise NetopsError(f"{content.path}: {error}") from None


def _is_remark(text: str) -> bool:
    """Return whether a line is not part of the table: a comment, or a restart mark of sysstat."""
    return text.lstrip().startswith("#") or "LINUX-RESTART" in text


def _reason(message: str) -> str:
    return "the file is empty" if "Empty CSV" in message else f"not a readable CSV file: {message}"


def _numeric(column: pa.Array) -> pa.Array:
    return pc.or_(pc.match_substring_regex(column, NUMBER), pc.match_substring_regex(column, _ODD_NUMBER))


def split_sections(content: Content, header: Header) -> Iterator[tuple[Header, bytes, int]]:
    """Split text that contains several tables, each with its own header, as written by InfluxDB and sysstat.

    Yields
    ------
    header, text, line
        The header of each table, its rows, and their first line.
    """
    rows: list[str] = []
    now, begin, fresh = header, 0, header.is_flux
    with content.text() as stream:
        for number, line in enumerate(stream, 1):
            starts = line.startswith("# hostname") or (fresh and line.strip() and not line.startswith("#"))
            if starts or line.startswith(("#group", "#datatype", "#default")) or not line.strip():
                if rows:
                    yield now, "".join(rows).encode(), begin
                    rows = []
                fresh = fresh or not starts
                if starts:
                    now, begin, fresh = header_in(line, header.delimiter, number), number + 1, False
                continue
            if "LINUX-RESTART" not in line:
                rows.append(line)
    if rows:
        yield now, "".join(rows).encode(), begin
