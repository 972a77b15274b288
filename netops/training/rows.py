"""Read selected rows of a features dataset in pieces, with memory bounded by one piece."""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from netops.telemetry.dataset import Dataset

#: Values (rows × columns) decoded at once: 16 MB.
PIECE = 2_000_000
#: Row groups that a choice of rows is from, at least.
_GROUPS = 8

Rows = npt.NDArray[np.int64]


def gather(dataset: Dataset, columns: list[str] | tuple[str, ...], rows: Rows) -> npt.NDArray[np.float64]:
    """Read some columns of some rows.

    Parameters
    ----------
    dataset : Dataset
        Its parts count as one table.
    columns : list of str
        A column that the dataset lacks gives NaN.
    rows : int64 array, n
        Rising.

    Returns
    -------
    float64 array, n × columns
    """
    matrix = np.empty((len(rows), len(columns)))
    for first, count, file, group in _row_groups(dataset.parts):
        low, high = np.searchsorted(rows, (first, first + count))
        if low < high:
            _fill(matrix[low:high], file, group, columns, rows[low:high] - first)
    return matrix


def pieces(
    dataset: Dataset, columns: list[str] | tuple[str, ...], rows: Rows
) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
    """Read some columns of some rows piece by piece, for data larger than memory (see :func:`pieces_of_files`)."""
    return pieces_of_files(dataset.parts, columns, rows)


def pieces_of_files(
    files: list[Path], columns: list[str] | tuple[str, ...], rows: Rows
) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
    """Read some columns of some rows of files that count as one table.

    Yields
    ------
    slice, float64 array
        Which of ``rows`` these are, and their values.
    """
    size = max(1_024, PIECE // max(1, len(columns)))
    for first, count, file, group in _row_groups(files):
        low, high = np.searchsorted(rows, (first, first + count))
        if low == high:
            continue
        start, stored = first, set(file.schema_arrow.names)
        known = [name for name in columns if name in stored]
        for batch in file.iter_batches(size, row_groups=[group], columns=known):
            low, high = np.searchsorted(rows, (start, start + batch.num_rows))
            if low < high:
                yield slice(low, high), _matrix(batch, known, columns, rows[low:high] - start)
            start += batch.num_rows


def spread(dataset: Dataset, rows: Rows, count: int) -> Rows:
    """Choose a number of rows that are quickly read: from few row groups, which are spread over the dataset.

    Parameters
    ----------
    dataset : Dataset
    rows : int64 array, n
        Rising.
    count : int
        Of the rows to choose; up to twice as many are chosen.

    Returns
    -------
    int64 array
        Indices of the chosen rows, rising.
    """
    ends = np.array([first + size for first, size, _, _ in _row_groups(dataset.parts)])
    parts = [part for part in np.split(np.arange(len(rows)), np.searchsorted(rows, ends)) if len(part)]
    some = parts[:: max(1, len(parts) // _GROUPS)]
    chosen = np.concatenate(some) if some else np.arange(0)
    return chosen[:: max(1, len(chosen) // count)]


def _row_groups(files: list[Path]) -> Iterator[tuple[int, int, pq.ParquetFile, int]]:
    first = 0
    for path in files:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                yield first, count, file, group
                first += count


def _fill(
    out: npt.NDArray[np.float64], file: pq.ParquetFile, group: int, columns: list[str] | tuple[str, ...], rows: Rows
) -> None:
    known = set(file.schema_arrow.names)
    width = max(1, PIECE // max(1, file.metadata.row_group(group).num_rows))
    for start in range(0, len(columns), width):
        names = columns[start : start + width]
        table = file.read_row_group(group, columns=[name for name in names if name in known])
        out[:, start : start + width] = _matrix(table, set(table.column_names), names, rows)


def _matrix(
    table: pa.Table | pa.RecordBatch, known: Collection[str], columns: list[str] | tuple[str, ...], rows: Rows
) -> npt.NDArray[np.float64]:
    matrix = np.empty((len(rows), len(columns)))
    for index, name in enumerate(columns):
        matrix[:, index] = table.column(name).to_numpy(zero_copy_only=False)[rows] if name in known else np.nan
    return matrix
