"""A table in a file, before the roles of its columns are known."""

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from netops.telemetry.columns.quantities import NULLS
from netops.telemetry.times.reader import TimeReader
from netops.telemetry.times.unreadable import UnreadableValueError

_LOOK = 50


class RawTable(Protocol):
    """One table in a file.

    Attributes
    ----------
    where : str
        The file, for errors.
    format : str
        Description of the format.
    names : tuple of str
        Its columns.
    size, done : int
        Total amount to read, and amount that has been read.
    memory : int
        Estimated memory in bytes.
    notes : list of str
        Decisions made when it was opened.
    nulls : tuple of str
        Words for unknown values.
    held : bool
        Whether it holds all rows.
    """

    where: str
    format: str
    names: tuple[str, ...]
    size: int
    done: int
    memory: int
    notes: list[str]
    nulls: tuple[str, ...]
    held: bool

    def first_rows(self) -> pa.Table:
        """Return the first rows, as text or as they are typed."""

    def scan(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Read the given columns of all rows, as text if they are text."""

    def read(self, names: Sequence[str], text: Sequence[str]) -> Iterator[pa.Table]:
        """Read columns; those in ``text`` as text or in their type, others as numbers if possible."""

    def location(self, row: int) -> str:
        """Return the position of a row (counted from 0): as a row from 1, and as a line if rows are lines."""


class Rows:
    """The rows of several tables with the same columns (see ``device_columns.RowsToLookAt``)."""

    def __init__(self, tables: Sequence[RawTable]) -> None:
        self._tables = tables

    def _first(self, name: str) -> list[str]:
        """Return the first known values of a column as text."""
        column = self._tables[0].first_rows()
        if name not in column.column_names:
            return []
        text = _text_of(column.column(name)).drop_null()
        return [value for value in text.slice(0, 4 * _LOOK).to_pylist() if value not in NULLS][:_LOOK]

    def is_numeric(self, name: str) -> bool:
        """Return whether a column holds numbers, with or without units, in the first rows."""
        values = self._first(name)
        return bool(values) and sum(bool(_NUMBER.match(value)) for value in values) * 2 > len(values)

    def varies(self, name: str) -> bool:
        """Return whether a column has more than one value, in all rows."""
        seen: set[str] = set()
        for first in (True, False):
            for table in self._tables:
                batches = [table.first_rows()] if first else table.scan([name])
                for batch in batches:
                    seen |= set(pc.unique(_text_of(batch.column(name))).drop_null().slice(0, 3).to_pylist()) - {""}
                    if len(seen) > 1:
                        return True
        return False

    def is_key(self, keys: Sequence[str], name: str) -> bool:
        """Return whether rows that share ``keys`` differ in ``name``, and its values repeat."""
        for table in self._tables[:_LOOK]:
            batch = next(table.scan([*keys, name]), None)
            if batch is None or not batch.num_rows:
                continue
            groups, both = _codes(batch, keys), _codes(batch, [*keys, name])
            shared = len(groups) - len(np.unique(groups))
            left = len(both) - len(np.unique(both))
            again = pc.count_distinct(batch.column(name)).as_py() <= batch.num_rows // 2
            if shared and left <= 0.05 * shared and again:
                return True
        return False

    def repeats(self, keys: Sequence[str]) -> bool:
        """Return whether several rows of a file share ``keys``."""
        for table in self._tables[:_LOOK]:
            for batch in table.scan(list(keys)):
                codes = _codes(batch, keys)
                if len(np.unique(codes)) < 0.99 * len(codes):
                    return True
                break
        return False

    def all_match(self, name: str, pattern: re.Pattern[str]) -> bool:
        """Return whether the first values of a column are all of a form."""
        values = self._first(name)
        return bool(values) and all(pattern.match(value) for value in values)

    def holds_times(self, name: str) -> bool:
        """Return whether the first values of a column can be read as times."""
        values = self._first(name)
        if not values:
            return False
        try:
            TimeReader()(pa.array(values))
        except UnreadableValueError as error:
            return "ambiguous" in error.problem
        return True


_NUMBER = re.compile(r"^\s*[+-]?[\d.,' ]*\d[.,]?([eE][+-]?\d+)?\s*([%‰°µμ]?[A-Za-z/]{0,8})\s*$")


def _text_of(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(joined, pa.ChunkedArray):
        joined = joined.chunk(0) if joined.num_chunks else pa.array([], joined.type)
    return joined.cast(pa.string())


def _codes(batch: pa.Table, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Assign a number to each combination of values of some columns."""
    codes = np.zeros(batch.num_rows, np.int64)
    for name in names:
        column = batch.column(name).combine_chunks()
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        part = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
        _, codes = np.unique(codes * (len(encoded.dictionary) + 1) + part, return_inverse=True)
    return codes
