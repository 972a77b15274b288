"""Features of one part of a dataset: Parquet to Parquet, piece by piece."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from netops.errors import NetopsError
from netops.features.batch import Replay
from netops.features.spec import FeatureSpec
from netops.files import atomic_path
from netops.telemetry.dataset import matrix_of, rows_of
from netops.telemetry.schema import DEVICE, IS_ERROR, TIMESTAMP

#: Rows in memory at once, and in a row group: the same for every number of threads, so that the bytes are too.
PIECE = 1 << 16


def build_part(
    source: Path,
    out: Path,
    spec: FeatureSpec,
    attributes: tuple[str, ...] = (),
    threads: int = 1,
    tell: Callable[[int], None] = lambda rows: None,
) -> int:
    """Compute the features of the samples of one part.

    Memory does not grow with the part. Reading ahead, computing and writing behind overlap.

    Parameters
    ----------
    source, out : Path
        A part of the telemetry, and of the features; the latter appears whole or not at all.
    spec : FeatureSpec
        The features.
    attributes : tuple of str
        Columns that are taken over beside device, time and ``is_error``.
    threads : int
        Threads that compute; the bytes written do not depend on it.
    tell : callable
        Is given the number of rows after each piece.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    NetopsError
        If a metric is missing, or the rows are not sorted by device and time.
    """
    file = pq.ParquetFile(source)
    known = set(file.schema_arrow.names)
    if lost := [name for name in spec.metrics if name not in known]:
        raise NetopsError(f"{source}: metric '{lost[0]}' is missing; build features of the metrics it has")
    keys = [name for name in (TIMESTAMP, DEVICE, *attributes, IS_ERROR) if name in known]
    rows = 0
    with atomic_path(out) as draft, ThreadPoolExecutor(1) as behind:
        writer, written = None, None
        for table in _pieces(source, file, keys, spec, threads):
            if written is not None:
                written.result()
            if writer is None:
                writer = _writer(draft, table.schema)
            written = behind.submit(writer.write_table, table, PIECE)
            rows += table.num_rows
            tell(table.num_rows)
        if written is not None:
            written.result()
        if writer is None:
            writer = _writer(draft, _features_of(file.schema_arrow.empty_table(), keys, spec, None).schema)
        writer.close()
    return rows


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    texts = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    return pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=texts, write_statistics=texts)


def _pieces(
    source: Path, file: pq.ParquetFile, keys: list[str], spec: FeatureSpec, threads: int
) -> Iterator[pa.Table]:
    replay, last = Replay(spec, threads), None
    for batch in file.iter_batches(PIECE, columns=[*keys, *spec.metrics], use_threads=False):
        table = pa.Table.from_batches([batch])
        rows = rows_of(table)
        if not rows.devices:
            continue
        matrix = matrix_of(table, list(spec.metrics))
        try:
            features = replay.feed(rows.offsets, rows.timestamps, matrix, continues=rows.devices[0] == last)
        except NetopsError as error:
            raise NetopsError(f"{source}: {error}") from None
        last = rows.devices[-1]
        yield _features_of(table, keys, spec, features.T.copy())


def _features_of(table: pa.Table, keys: list[str], spec: FeatureSpec, columns: object) -> pa.Table:
    arrays = [table.column(name) for name in keys]
    features = [pa.array(column) for column in columns] if columns is not None else None  # type: ignore[attr-defined]
    arrays += features or [pa.array([], pa.float64())] * len(spec.names)
    return pa.table(arrays, names=[*keys, *spec.names])
