"""Sink that writes rows into v3io tables, through the frames service."""

import pandas as pd
import pyarrow as pa

from netops.progress import Progress, silent
from netops.telemetry.dataset import Dataset
from netops.telemetry.schema import DEVICE, TIMESTAMP, is_error_column
from netops.telemetry.sinks.rows import Rows
from netops.telemetry.sinks.series import SeriesInTable
from netops.telemetry.v3io.frames import Client, FramesTable

_ROWS_A_FRAME = 50_000
#: Column names of the time and the key of a sample in the tables.
TIME, KEY = "time", "key"


def write_v3io(dataset: Dataset, address: str, progress: Progress = silent) -> int:
    """Write the samples of a dataset into a table (see :func:`write_table`)."""
    return write_table(Rows.of(dataset), address, progress)


def write_table(rows: Rows, address: str, progress: Progress = silent) -> int:
    """Write rows into a table.

    In a time-series table, measured values are columns, device and attributes are labels; the ground truth, which
    such a table cannot store as bool, is 0 or 1. Such a table accepts only rows newer than all rows of the series;
    the service drops the rest silently, so they are counted here. A key/value table stores all columns under the
    key ``<device>_<nanoseconds>``. A second call with the same rows changes nothing.

    Parameters
    ----------
    rows : Rows
    address : str
        See ``v3io_address``.
    progress : Progress

    Returns
    -------
    int
        Rows of the input that are in the table afterwards: those written, without those that it rejected.

    Raises
    ------
    NetopsError
        If the service cannot be reached or refuses.
    """
    target, done, taken = FramesTable.parse(address), 0, 0
    with target.client() as client:
        series = None
        if target.backend == "tsdb":
            _create(client, target, rows.interval_seconds)
            series = SeriesInTable.read(client, target.table, [DEVICE, *rows.labels], rows)
        for table in rows.tables():
            for start in range(0, table.num_rows, _ROWS_A_FRAME):
                frame = _frame(table.slice(start, _ROWS_A_FRAME), target.backend)
                if series is not None:
                    frame = frame.sort_values([DEVICE, *rows.labels, TIME], kind="stable")
                _write(client, target, frame, rows.labels)
                done += len(frame)
                taken += len(frame) if series is None else series.take(frame)
                progress(done, rows.count, "rows sent")
    return taken


def _create(client: Client, table: FramesTable, interval_seconds: float) -> None:
    from v3io_frames import IGNORE

    a_minute = max(1, round(60 / interval_seconds)) if interval_seconds else 1
    client.create("tsdb", table.table, if_exists=IGNORE, rate=f"{a_minute}/m")


def _write(client: Client, table: FramesTable, frame: pd.DataFrame, attributes: tuple[str, ...]) -> None:
    if table.backend == "tsdb":
        client.write("tsdb", table.table, [frame], index_cols=[TIME, DEVICE, *attributes])
    else:
        client.write("kv", table.table, [frame], index_cols=[KEY], save_mode="overwriteItem")


def _frame(rows: pa.Table, backend: str) -> pd.DataFrame:
    frame = rows.to_pandas(strings_to_categorical=False)
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = frame[name].astype(object).where(frame[name].notna(), "")
        elif backend == "tsdb" and is_error_column(name):
            frame[name] = frame[name].astype("float64")
    if backend == "tsdb":
        return frame.rename(columns={TIMESTAMP: TIME})
    nanoseconds = frame[TIMESTAMP].astype("int64").astype(str)
    return frame.assign(**{KEY: frame[DEVICE].astype(str).map(_key) + "_" + nanoseconds})


def _key(device: str) -> str:
    """Escape a name for use in a key: the key is the path of an item, so a slash would begin a folder."""
    return device.replace("%", "%25").replace("/", "%2F")
