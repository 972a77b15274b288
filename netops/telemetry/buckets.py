"""Rows sorted by device and time without holding all of them: devices are distributed over buckets first."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.files import atomic_path
from netops.telemetry.dataset import DEVICE_TYPE, Rows, rows_of, timestamps_of
from netops.telemetry.repeats import Repeats, combine
from netops.telemetry.schema import DEVICE

#: How much of the telemetry is in memory at a time.
BUCKET_BYTES = 384 << 20
_FLUSH_BYTES = 128 << 20


class Buckets:
    """Distribute rows over buckets by device; on disk if there are several buckets, or several writers.

    Parameters
    ----------
    folder : Path
        Where the buckets are stored temporarily.
    count : int
        Number of buckets.
    writer : int, optional
        Number of this one of several writers, in the order of their rows; it must :meth:`flush` at the end.
    """

    def __init__(self, folder: Path, count: int, writer: int | None = None) -> None:
        self.count = count
        self._folder, self._bytes, self._flushes, self._writer = folder, 0, 0, writer or 0
        self._held: list[list[pa.Table]] = [[] for _ in range(count)]
        self._in_memory = count == 1 and writer is None

    def add(self, table: pa.Table) -> None:
        """Distribute the rows of a batch, in order."""
        if self.count == 1:
            self._held[0].append(table)
        else:
            self._distribute(table)
        self._bytes += table.nbytes
        if self._bytes > _FLUSH_BYTES and not self._in_memory:
            self.flush()

    def _distribute(self, table: pa.Table) -> None:
        devices = table.column(DEVICE).combine_chunks().dictionary_encode()
        owner = np.array([zlib.crc32(name.encode()) % self.count for name in devices.dictionary.to_pylist()])
        buckets = owner[devices.indices.to_numpy()] if len(owner) else np.empty(0, np.int64)
        for bucket in np.unique(buckets):
            rows = np.flatnonzero(buckets == bucket)
            self._held[bucket].append(table if len(rows) == len(table) else table.take(pa.array(rows)))

    def flush(self) -> None:
        """Write the rows that are in memory."""
        for bucket, tables in enumerate(self._held):
            if tables:
                name = f"_dealt-{bucket:05d}-{self._writer:05d}-{self._flushes:05d}.arrow"
                write_rows(self._folder / name, _union(tables))
        self._held, self._bytes = [[] for _ in range(self.count)], 0
        self._flushes += 1

    def take(self, bucket: int) -> pa.Table | None:
        """Return the rows of a bucket in the order of arrival, or sorted after :meth:`keep`, and remove them."""
        files = [*files_of(self._folder, bucket), *_existing(sorted_path(self._folder, bucket))]
        tables = [read_rows(file) for file in files] + self._held[bucket]
        self._held[bucket] = []
        for file in files:
            file.unlink()
        return _union(tables).combine_chunks() if tables else None

    def keep(self, bucket: int, table: pa.Table) -> None:
        """Put a bucket back, sorted."""
        if self._in_memory:
            self._held[bucket] = [table]
        else:
            write_rows(sorted_path(self._folder, bucket), table)


def buckets_for(memory: int) -> int:
    """Return the number of buckets for an estimated size of all rows, in bytes."""
    return max(1, -(-memory // BUCKET_BYTES))


def files_of(folder: Path, bucket: int) -> list[Path]:
    """List the files of a bucket, in the order of arrival."""
    return sorted(folder.glob(f"_dealt-{bucket:05d}-*.arrow"))


def sorted_path(folder: Path, bucket: int) -> Path:
    """Name the file of the sorted rows of a bucket."""
    return folder / f"_dealt-sorted-{bucket:05d}.arrow"


def _existing(path: Path) -> list[Path]:
    return [path] if path.is_file() else []


def read_bucket(folder: Path, bucket: int) -> pa.Table | None:
    """Read what several writers have put into a bucket, in the order of arrival."""
    tables = [read_rows(file) for file in files_of(folder, bucket)]
    return _union(tables).combine_chunks() if tables else None


def _union(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="default")


def write_rows(path: Path, table: pa.Table) -> None:
    """Write rows for :func:`read_rows`, atomically."""
    with (
        atomic_path(path, parents=False) as draft,
        pa.OSFile(str(draft), "wb") as file,
        pa.ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table)


def read_rows(path: Path) -> pa.Table:
    """Map rows into memory."""
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


@dataclass(frozen=True)
class Sorted:
    """Rows sorted by device and time, one per device and timestamp.

    Attributes
    ----------
    table : pyarrow.Table
    rows : Rows
        Its keys.
    repeats : Repeats
        Rows with the device and timestamp of another row, and how they were resolved.
    displaced : int
        Rows that were out of order.
    """

    table: pa.Table
    rows: Rows
    repeats: Repeats
    displaced: int


def sort_rows(table: pa.Table) -> Sorted:
    """Sort rows by device and time; several rows of one device and time become one (see ``repeats``)."""
    devices = table.column(DEVICE).combine_chunks().dictionary_encode()
    names = devices.dictionary.to_pylist()
    order_of_names = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int64)
    rank[order_of_names] = np.arange(len(names))
    codes, times = rank[devices.indices.to_numpy()], timestamps_of(table)
    displaced = _displaced(codes, times)
    order = np.lexsort((times, codes))
    codes, times = codes[order], times[order]
    first = np.ones(len(order), bool)
    first[1:] = (codes[1:] != codes[:-1]) | (times[1:] != times[:-1])
    sorted_names = [names[index] for index in order_of_names]
    repeats = Repeats()
    if not first.all():
        table, repeats = combine(table, order, codes, first, sorted_names)
    elif not (order == np.arange(len(order))).all():
        table = table.take(pa.array(order))
    dictionary = pa.array(sorted_names)
    encoded = pa.DictionaryArray.from_arrays(pa.array(codes[first].astype(np.int32)), dictionary)
    table = table.set_column(table.column_names.index(DEVICE), DEVICE, encoded.cast(DEVICE_TYPE))
    return Sorted(table, rows_of(table), repeats, displaced)


def _displaced(codes: npt.NDArray[np.int64], times: npt.NDArray[np.int64]) -> int:
    """Count rows that are earlier than one before them of the same device."""
    order = np.argsort(codes, kind="stable")
    device, time = codes[order], times[order]
    return int(((time[1:] < time[:-1]) & (device[1:] == device[:-1])).sum())
