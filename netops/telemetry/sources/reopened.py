"""A table in a file that is read as a whole: read again when its rows are wanted, so that nothing holds it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.raw import RawTable

#: Opens the tables of a file.
Open = Callable[[Path, TelemetrySettings], Iterator[RawTable]]


class ReopenedTable:
    """A table of which only the first rows are in memory (see ``raw.RawTable``); it can be sent to other processes.

    Parameters
    ----------
    table : RawTable
        The table, opened.
    path : Path
        Its file.
    index : int
        Number of the table in the file.
    settings : TelemetrySettings
    open_tables : callable
        A function of a module.
    """

    held = False

    def __init__(
        self, table: RawTable, path: Path, index: int, settings: TelemetrySettings, open_tables: Open
    ) -> None:
        self.where, self.format, self.names = table.where, table.format, table.names
        self.size, self.done, self.memory = table.size, 0, table.memory
        self.notes, self.nulls = table.notes, table.nulls
        first = table.first_rows()
        # Taken, because a slice would refer to all rows.
        self._first = first.take(pa.array(range(first.num_rows), pa.int64()))
        self._again = path, index, settings, open_tables
        self._opened: RawTable | None = None

    def first_rows(self) -> pa.Table:
        """Return the first rows."""
        return self._first

    def scan(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Read the given columns."""
        return self._table().scan(names)

    def read(self, names: Sequence[str], text: Sequence[str]) -> Iterator[pa.Table]:
        """Read columns."""
        yield from self._table().read(names, text)
        self.done, self._opened = self.size, None

    def types(self, names: Sequence[str], text: Sequence[str]) -> Mapping[str, pa.DataType]:
        """Return the type of each column; the rows are held from here to the end of :meth:`read`."""
        self._opened = self._table()
        types = getattr(self._opened, "types", None)
        if types is None:
            return {name: self._first.schema.field(name).type for name in names}
        found: Mapping[str, pa.DataType] = types(names, text)
        return found

    def location(self, row: int) -> str:
        """Return the position of a row, for errors."""
        return self._table().location(row)

    def _table(self) -> RawTable:
        if self._opened is not None:
            return self._opened
        path, index, settings, open_tables = self._again
        return list(open_tables(path, settings))[index]
