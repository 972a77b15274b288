"""Determine which rows exist in a time-series table, and which rows it rejects."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from netops.telemetry.schema import TIMESTAMP
from netops.telemetry.sinks.rows import Rows
from netops.telemetry.v3io.frames import Client

_TIME, _MILLISECOND = "time", 1_000_000
_ROWS_A_FRAME = 100_000
_NONE = np.zeros(0, dtype=np.int64)


@dataclass
class SeriesInTable:
    """The newest time of each series, and all times since the first written row, in milliseconds.

    Attributes
    ----------
    keys : tuple of str
        Columns that identify a series.
    newest : dict
        Series → its newest time.
    known : dict
        Series → times that already existed in the table.
    """

    keys: tuple[str, ...]
    newest: dict[tuple[str, ...], int] = field(default_factory=dict)
    known: dict[tuple[str, ...], npt.NDArray[np.int64]] = field(default_factory=dict)

    @classmethod
    def read(cls, client: Client, table: str, keys: Sequence[str], rows: Rows) -> "SeriesInTable":
        """Query the existing times of a table since the first row to write; a table may be empty."""
        made = cls(tuple(keys))
        if (start := _first(rows)) is None:
            return made
        span = {"start": start.isoformat(), "end": "now+365d"}
        for frame in client.read("tsdb", table, iterator=True, max_rows_in_msg=_ROWS_A_FRAME, **span):
            made._learn(frame.reset_index())
        return made

    def take(self, frame: pd.DataFrame) -> int:
        """Count the rows of a frame that the table contains after the write: newer than all before, or existing."""
        taken = 0
        for series, times in self._by_series(frame):
            newest = np.maximum.accumulate(np.concatenate([[self.newest.get(series, -1)], times]))
            fresh = times > newest[:-1]
            taken += int((fresh | np.isin(times, self.known.get(series, _NONE))).sum())
            self.newest[series] = int(newest[-1])
        return taken

    def _learn(self, frame: pd.DataFrame) -> None:
        if not {_TIME, *self.keys} <= set(frame.columns):
            return
        for series, times in self._by_series(frame):
            self.known[series] = np.union1d(self.known.get(series, _NONE), times)
            self.newest[series] = int(self.known[series][-1])

    def _by_series(self, frame: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], npt.NDArray[np.int64]]]:
        times = pd.to_datetime(frame[_TIME], utc=True).astype("int64").to_numpy() // _MILLISECOND
        groups = frame.groupby([frame[key].astype(str) for key in self.keys], sort=False).indices
        for series, indices in groups.items():
            yield (series if isinstance(series, tuple) else (series,)), times[indices]


def _first(rows: Rows) -> datetime | None:
    firsts: list[datetime] = [pc.min(table.column(TIMESTAMP)).as_py() for table in rows.tables() if table.num_rows]
    return min(firsts, default=None)
