"""Sink that writes rows into a v3io stream: one record per row, in the format of ``POST /telemetry``."""

import pyarrow as pa

from netops.json_types import JsonDict
from netops.progress import Progress, silent
from netops.telemetry.schema import DEVICE, TIMESTAMP
from netops.telemetry.sinks.rows import Rows
from netops.telemetry.v3io.streams import Stream

_ROWS_A_SLICE = 10_000


def write_stream(rows: Rows, address: str, progress: Progress = silent) -> int:
    """Append rows to a stream, which is created if missing; rows of a device go to one shard, in order.

    A stream is append-only: rows that are written again are in it twice; reading it as telemetry drops
    the duplicates.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    NetopsError
        If the web API cannot be reached or refuses.
    """
    done = 0
    with Stream.parse(address).open() as stream:
        stream.create()
        for table in rows.tables():
            for start in range(0, table.num_rows, _ROWS_A_SLICE):
                samples = samples_of(table.slice(start, _ROWS_A_SLICE))
                stream.put(samples, DEVICE)
                done += len(samples)
                progress(done, rows.count, "rows written")
    return done


def samples_of(table: pa.Table) -> list[JsonDict]:
    """Write rows as samples: times as ISO 8601, without unknown values."""
    columns = {name: table.column(name).to_pylist() for name in table.column_names if name != TIMESTAMP}
    columns = {TIMESTAMP: _iso(table.column(TIMESTAMP)), **columns}
    return [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None and value == value}
        for row in zip(*columns.values(), strict=True)
    ]


def _iso(times: pa.ChunkedArray) -> list[str]:
    text = times.cast(pa.timestamp("ns")).cast(pa.string()).to_pylist()
    return [f"{time.replace(' ', 'T').rstrip('0').rstrip('.')}Z" if "." in time else f"{time}Z" for time in text]
