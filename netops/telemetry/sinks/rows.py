"""The input of a sink: rows of devices over time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from netops.telemetry.dataset import TIME_TYPE, Dataset
from netops.telemetry.schema import DEVICE, TIMESTAMP

_ROWS_A_TABLE = 500_000


@dataclass(frozen=True)
class Rows:
    """Rows that are read table by table (see ``tables``).

    Attributes
    ----------
    tables : callable
        Reads the rows from the start: tables with ``timestamp``, ``device`` and any other columns.
    count : int
        Number of rows.
    labels : tuple of str
        Columns that describe a row, not measured values.
    interval_seconds : float
        Time between two rows of a device; 0 where it is unknown.
    """

    tables: Callable[[], Iterator[pa.Table]]
    count: int
    labels: tuple[str, ...] = ()
    interval_seconds: float = 0.0

    @classmethod
    def of(cls, dataset: Dataset) -> "Rows":
        """Return the rows of a dataset."""
        meta = dataset.meta
        return cls(dataset.tables, meta.samples, meta.attributes, meta.interval_seconds or 0.0)

    @classmethod
    def of_risks(cls, path: Path, count: int) -> "Rows":
        """Return the risks of a batch from the output of ``netops score``: Parquet or CSV."""
        return cls(lambda: _csv(path) if path.suffix == ".csv" else _parquet(path), count, ("model_version",))


def _parquet(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS_A_TABLE):
            yield pa.Table.from_batches([batch])


def _csv(path: Path) -> Iterator[pa.Table]:
    types = {TIMESTAMP: TIME_TYPE, DEVICE: pa.string(), "model_version": pa.string()}
    options = pyarrow.csv.ConvertOptions(column_types=types)
    with pyarrow.csv.open_csv(path, convert_options=options) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])
