"""Features of one file of a dataset: Parquet to Parquet, chunk by chunk."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from netops.errors import NetopsError
from netops.features.batch import Replay
from netops.features.spec import FeatureSpec
from netops.files import atomic_path
from netops.telemetry.dataset import matrix_of, rows_of
from netops.telemetry.schema import DEVICE, IS_ERROR, TIMESTAMP

#: Rows in memory at once, and in a row group: independent of the number of threads, so that the bytes are, too.
PIECE = 1 << 16
#: Feature values in memory at once: with many columns, chunks have fewer rows.
VALUES = 1 << 24
#: Columns that LZ4 shortens by less than this are not compressed: it takes a third of the time of writing them.
_WORTH = 0.2
#: Values from which that is estimated: runs over the first chunk.
_RUNS, _RUN = 16, 512


def build_part(
    source: Path,
    out: Path,
    spec: FeatureSpec,
    attributes: tuple[str, ...] = (),
    threads: int = 1,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> int:
    """Compute the features of the samples of one file.

    Memory does not grow with the file. With several threads, one chunk is written while the next is computed.

    Parameters
    ----------
    source, out : Path
        A file of the telemetry, and of the features; the latter is written atomically.
    spec : FeatureSpec
        The features.
    attributes : tuple of str
        Columns that are copied in addition to device, time and ``is_error``.
    threads : int
        Number of threads; the bytes written do not depend on it.
    on_rows : callable
        Called with the number of rows after each chunk.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    NetopsError
        If a metric is missing, or the rows are not sorted by device and time.
    """
    file = _open(source)
    known = set(file.schema_arrow.names)
    if lost := [name for name in spec.metrics if name not in known]:
        raise NetopsError(f"{source}: metric '{lost[0]}' is missing; select features of existing metrics")
    keys = [name for name in (TIMESTAMP, DEVICE, *attributes, IS_ERROR) if name in known]
    empty = _features_of(file.schema_arrow.empty_table(), keys, spec, [np.zeros(0)] * len(spec.names))
    rows = 0
    with atomic_path(out) as draft:
        pieces = _pieces(source, file, keys, spec, threads)
        first = next(pieces, empty)
        with _writer(draft, first) as writer, _Behind(threads > 1) as behind:
            for table in chain([first] if first.num_rows else [], pieces):
                behind(partial(writer.write_table, table, table.num_rows))
                rows += table.num_rows
                on_rows(table.num_rows)
    return rows


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise NetopsError(f"{path}: incomplete Parquet file; create the telemetry again ({error})") from None


class _Behind:
    """Run one function at a time, in a background thread if there is one."""

    def __init__(self, threaded: bool) -> None:
        self._pool = ThreadPoolExecutor(1) if threaded else None
        self._last: Future[None] | None = None

    def __enter__(self) -> "_Behind":
        return self

    def __call__(self, work: Callable[[], None]) -> None:
        if self._pool is None:
            work()
            return
        if self._last is not None:
            self._last.result()
        self._last = self._pool.submit(work)

    def __exit__(self, kind: object, *rest: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        if self._last is not None and kind is None:
            self._last.result()


def _writer(path: Path, first: pa.Table) -> pq.ParquetWriter:
    """Open a file for tables like the first one."""
    texts = [field.name for field in first.schema if pa.types.is_dictionary(field.type)]
    noise = {field.name for field in first.schema if not field.nullable and _is_noise(first.column(field.name))}
    return pq.ParquetWriter(
        path,
        first.schema,
        compression={name: "none" if name in noise else "lz4" for name in first.schema.names},
        use_dictionary=texts,
        write_statistics=texts,
        write_batch_size=PIECE,
    )


def _is_noise(column: pa.ChunkedArray) -> bool:
    """Return whether LZ4 hardly shortens a feature."""
    values = column.to_numpy()
    if len(values) > _RUNS * _RUN:
        starts = np.linspace(0, len(values) - _RUN, _RUNS).astype(np.int64)
        values = values[starts[:, None] + np.arange(_RUN)].ravel()
    content = values.tobytes()
    return len(pa.compress(content, "lz4_raw", asbytes=True)) > (1 - _WORTH) * len(content)


def _pieces(
    source: Path, file: pq.ParquetFile, keys: list[str], spec: FeatureSpec, threads: int
) -> Iterator[pa.Table]:
    replay, last, size = Replay(spec, threads), None, min(PIECE, max(1024, VALUES // spec.width))
    for batch in file.iter_batches(size, columns=[*keys, *spec.metrics], use_threads=False):
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
        yield _features_of(table, keys, spec, np.ascontiguousarray(features.T))


def _features_of(
    table: pa.Table, keys: list[str], spec: FeatureSpec, columns: Iterable[npt.NDArray[np.float64]]
) -> pa.Table:
    features = [pa.array(column, pa.float64()) for column in columns]
    fields = [*(table.schema.field(key) for key in keys), *map(_required, spec.names)]
    return pa.table([*map(table.column, keys), *features], schema=pa.schema(fields))


def _required(name: str) -> pa.Field:
    """Return a column without nulls, whose encoding takes a quarter of the time; an unknown feature is NaN."""
    return pa.field(name, pa.float64(), nullable=False)
