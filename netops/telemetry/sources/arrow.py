"""Columnar tables: Parquet, Arrow and Feather, Excel, and parsed JSON."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from netops.errors import NetopsError
from netops.telemetry.columns.quantities import NULLS
from netops.telemetry.sources.content import ARROW, EXCEL, OLD_EXCEL, Content

_VALUES_A_BATCH = 4_000_000
_FIRST = 1000


class ArrowTable:
    """A table in memory (see ``raw.RawTable``).

    Parameters
    ----------
    where : str
    format : str
        Description of the original format.
    table : pyarrow.Table
    nulls : sequence of str
        Words for unknown values, in addition to the usual ones.
    lines : sequence of int, optional
        The line of each row, if rows are lines.
    """

    held = True

    def __init__(
        self,
        where: str,
        format: str,
        table: pa.Table,
        nulls: Sequence[str] = (),
        lines: Sequence[int] | None = None,
    ) -> None:
        self.where, self.format, self._table, self._lines = where, format, table, lines
        self.names = tuple(table.column_names)
        self.nulls = (*NULLS, *nulls)
        self.notes: list[str] = []
        self.size, self.done = max(1, table.nbytes), 0
        self.memory = 2 * table.nbytes

    def first_rows(self) -> pa.Table:
        """Return the first rows."""
        return self._table.slice(0, _FIRST)

    def scan(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Return the given columns."""
        yield self._table.select(list(dict.fromkeys(names)))

    def read(self, names: Sequence[str], text: Sequence[str]) -> Iterator[pa.Table]:
        """Yield columns in batches of rows."""
        step = max(1024, _VALUES_A_BATCH // max(1, len(names)))
        for first in range(0, self._table.num_rows, step):
            yield self._table.select(list(names)).slice(first, step)
            self.done = self.size * min(first + step, self._table.num_rows) // self._table.num_rows

    def location(self, row: int) -> str:
        """Return the position of a row, for errors."""
        line = f" (line {self._lines[row]})" if self._lines is not None and row < len(self._lines) else ""
        return f"row {row + 1}{line}"


class ParquetTable:
    """One Parquet file (see ``raw.RawTable``)."""

    format = "Parquet"
    held = False

    def __init__(self, path: Path, nulls: Sequence[str] = ()) -> None:
        self.where, self._path = str(path), path
        self.nulls = (*NULLS, *nulls)
        self.notes: list[str] = []
        try:
            file = pq.ParquetFile(path)
            about = file.metadata
            self.names = tuple(file.schema_arrow.names)
        except (pa.ArrowInvalid, OSError) as error:
            raise NetopsError(f"{path}: not a Parquet file: {_first_line(error)}") from None
        self.size, self.done = path.stat().st_size, 0
        self.memory = 8 * about.num_rows * about.num_columns
        self._batch_rows = max(1024, _VALUES_A_BATCH // max(1, about.num_columns))
        self._rows = max(1, about.num_rows)

    def first_rows(self) -> pa.Table:
        """Return the first rows."""
        file = pq.ParquetFile(self._path)
        try:
            batch = next(file.iter_batches(_FIRST), None)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._damaged(error) from None
        return file.schema_arrow.empty_table() if batch is None else pa.Table.from_batches([batch])

    def scan(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Read the given columns."""
        return self._batches(list(dict.fromkeys(names)))

    def read(self, names: Sequence[str], text: Sequence[str]) -> Iterator[pa.Table]:
        """Yield columns in batches of rows."""
        read = 0
        for table in self._batches(list(names)):
            yield table
            read += table.num_rows
            self.done = self.size * read // self._rows

    def location(self, row: int) -> str:
        """Return the position of a row, for errors."""
        return f"row {row + 1}"

    def _batches(self, names: list[str]) -> Iterator[pa.Table]:
        try:
            for batch in pq.ParquetFile(self._path).iter_batches(self._batch_rows, columns=names):
                yield pa.Table.from_batches([batch])
        except (pa.ArrowInvalid, OSError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> NetopsError:
        return NetopsError(f"{self._path}: damaged: {_first_line(error)}")


def open_frame(content: Content, nulls: Sequence[str]) -> ArrowTable:
    """Open an Arrow, Feather or Excel file.

    Raises
    ------
    NetopsError
        If it is damaged, or the required reader is not installed.
    """
    path = content.path
    if content.kind == ARROW:
        try:
            return ArrowTable(str(path), "Arrow", feather.read_table(path), nulls)
        except (pa.ArrowInvalid, OSError) as error:
            raise NetopsError(f"{path}: damaged: {_first_line(error)}") from None
    return ArrowTable(str(path), content.kind, _from_excel(path, content.kind), nulls)


def _from_excel(path: Path, kind: str) -> pa.Table:
    import pandas as pd

    reader = {EXCEL: "openpyxl", OLD_EXCEL: "xlrd"}[kind]
    try:
        frame = pd.read_excel(path, keep_default_na=False, na_values=[""])
    except ImportError:
        raise NetopsError(
            f"{path}: {kind} requires {reader}, which is not installed: pip install {reader}, or save it as CSV"
        ) from None
    except Exception as error:  # noqa: BLE001 the readers raise arbitrary exceptions
        raise NetopsError(f"{path}: not a readable {kind} file: {_first_line(error)}") from None
    return pa.table({str(name): column_of(frame[name].tolist()) for name in frame.columns})


def column_of(values: Sequence[object]) -> pa.Array:
    """Create a column; numbers among text become text, as in a file."""
    plain = [None if value != value else value for value in values]
    try:
        return pa.array(plain)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.array([None if value is None else str(value) for value in plain], pa.string())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
