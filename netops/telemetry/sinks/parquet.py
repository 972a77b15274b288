"""Sink that writes rows into a folder of Parquet files, as an alternative to a v3io table."""

import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from netops.files import atomic_path
from netops.progress import Progress, silent
from netops.telemetry.schema import DEVICE, TIMESTAMP
from netops.telemetry.sinks.rows import Rows


def write_parquet(rows: Rows, folder: Path, progress: Progress = silent) -> int:
    """Write rows into a folder, which may contain rows of other devices and time ranges.

    A file is named after the first and last time and the devices of its rows, so that the same rows, written
    again, replace the file.

    Returns
    -------
    int
        Rows written.
    """
    done = 0
    for table in rows.tables():
        if not table.num_rows:
            continue
        with atomic_path(folder / f"part-{_span(table)}-{_devices(table)}.parquet") as draft:
            pq.write_table(table, draft, compression="zstd")
        done += table.num_rows
        progress(done, rows.count, "rows written")
    return done


def _span(table: pa.Table) -> str:
    ends = pc.min_max(table.column(TIMESTAMP))
    return "-".join(f"{ends[end].as_py():%Y%m%dT%H%M%SZ}" for end in ("min", "max"))


def _devices(table: pa.Table) -> str:
    names = sorted(set(pc.unique(table.column(DEVICE).cast(pa.string())).to_pylist()))
    return f"{zlib.crc32(chr(0).join(names).encode()):08x}"
