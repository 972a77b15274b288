"""Telemetry from v3io: tables (time series or key/value) through the frames service, and streams of samples."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.errors import NetopsError
from netops.json_types import Json, JsonObject
from netops.telemetry.columns.roles import layout_of
from netops.telemetry.dataset import TIME_TYPE
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.normal import Normaliser
from netops.telemetry.sources.protocol import Source
from netops.telemetry.v3io.address import Address
from netops.telemetry.v3io.frames import FramesTable
from netops.telemetry.v3io.streams import Stream

_ROWS_A_FRAME = 100_000
# The size of a table is unknown: assume enough for several buckets.
_MEMORY = 1 << 30


def open_v3io(address: str, settings: TelemetrySettings) -> Source:
    """Open an address of a v3io table or stream (see ``v3io_address``)."""
    if Address.parse(address).is_stream:
        return StreamSource(Stream.parse(address), settings)
    return V3ioSource(FramesTable.parse(address), settings)


class V3ioSource:
    """One v3io table (see ``protocol.Source``)."""

    def __init__(self, table: FramesTable, settings: TelemetrySettings) -> None:
        self.name, self._table, self._settings = str(table), table, settings
        self.ignored: dict[str, str] = {}
        self.size, self.done, self.memory = 1, 0, _MEMORY

    def batches(self) -> Iterator[pa.Table]:
        """Yield the rows frame by frame."""
        span = {key: getattr(self._table, key) for key in ("start", "end") if getattr(self._table, key)}
        rows = 0
        with self._table.client() as client:
            frames = client.read(
                self._table.backend, self._table.table, max_rows_in_msg=_ROWS_A_FRAME, get_raw=True, **span
            )
            for frame in frames:
                batch = table_of(frame.raw_frame, self.name)
                if batch.num_rows:
                    rows += batch.num_rows
                    yield self._normalised(batch)
        if not rows:
            raise NetopsError(f"{self.name}: no samples in the table")
        self.done = 1

    def _normalised(self, batch: pa.Table) -> pa.Table:
        layout = layout_of(batch.column_names, self._settings, self.name)
        normalise = Normaliser(layout, self.name, device=self._table.table.rpartition("/")[2])
        table = normalise(batch)
        self.ignored |= normalise.ignored
        return table


class StreamSource:
    """One v3io stream of samples, as ``POST /telemetry`` takes them (see ``protocol.Source``)."""

    def __init__(self, stream: Stream, settings: TelemetrySettings) -> None:
        self.name, self._stream, self._settings = str(stream), stream, settings
        self.ignored: dict[str, str] = {}
        self.size, self.done, self.memory = 1, 0, _MEMORY
        self._normalisers: dict[tuple[str, ...], Normaliser] = {}

    def batches(self) -> Iterator[pa.Table]:
        """Yield the current records, shard by shard."""
        with self._stream.open() as stream:
            for records in stream.records():
                yield self._normalised(samples_table(records))
        if not self._normalisers:
            raise NetopsError(f"{self.name}: no samples in the stream")
        for normalise in self._normalisers.values():
            normalise.finish()
        self.done = 1

    def _normalised(self, batch: pa.Table) -> pa.Table:
        layout = layout_of(batch.column_names, self._settings, self.name)
        device = self._stream.path.rpartition("/")[2]
        key = tuple(batch.column_names)
        normalise = self._normalisers.setdefault(key, Normaliser(layout, self.name, device))
        table = normalise(batch)
        self.ignored |= normalise.ignored
        return table


class _Column(Protocol):
    """A column of a frame; which of the lists holds its values depends on ``dtype``."""

    LABEL: ClassVar[int]
    SLICE: ClassVar[int]

    name: str
    kind: int
    dtype: int
    size: int
    ints: Sequence[int]
    floats: Sequence[float]
    strings: Sequence[str]
    times: Sequence[int]
    bools: Sequence[bool]


class _Label(Protocol):
    def WhichOneof(self, name: str) -> str: ...


class _Nulls(Protocol):
    nullColumns: Mapping[str, bool]


class _Frame(Protocol):
    """A frame of the wire format."""

    error: str
    indices: Sequence[_Column]
    columns: Sequence[_Column]
    labels: Mapping[str, _Label]
    null_values: Sequence[_Nulls]


def samples_table(samples: Sequence[JsonObject]) -> pa.Table:
    """Convert samples into columns; missing fields are null."""
    names = dict.fromkeys(name for sample in samples for name in sample)
    return pa.table({name: _mixed([sample.get(name) for sample in samples]) for name in names})


def _mixed(values: Sequence[Json]) -> pa.Array:
    """Create a column; numbers among text become text, as in a file."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def table_of(frame: _Frame, where: str) -> pa.Table:
    """Convert a frame of the wire format into a table: its indices, columns and labels.

    Raises
    ------
    NetopsError
        If the service reports an error instead.
    """
    if frame.error:
        raise NetopsError(f"{where}: {' '.join(frame.error.split())}")
    parts = [*frame.indices, *frame.columns]
    rows = max(
        (len(_values(column)) if column.kind == column.SLICE else column.size for column in parts), default=0
    )
    columns = {column.name: _column(column, rows, _nulls(frame, column.name)) for column in parts if column.dtype}
    for name, value in frame.labels.items():
        columns.setdefault(name, pa.repeat(str(getattr(value, value.WhichOneof("value"))), rows))
    return pa.table(columns)


def _values(column: _Column) -> Sequence[object]:
    fields = ((), column.ints, column.floats, column.strings, column.times, column.bools, ())
    return fields[column.dtype]


def _column(column: _Column, rows: int, nulls: npt.NDArray[np.bool_] | None) -> pa.Array:
    kinds = (pa.null(), pa.int64(), pa.float64(), pa.string(), TIME_TYPE, pa.bool_(), pa.null())
    values, kind = list(_values(column)), kinds[column.dtype]
    if column.kind == column.LABEL:
        values = values[:1] * rows
    if not values:
        return pa.nulls(rows, kind)
    return pa.array(values, pa.int64() if kind == TIME_TYPE else kind, mask=nulls).cast(kind)


def _nulls(frame: _Frame, name: str) -> npt.NDArray[np.bool_] | None:
    if not frame.null_values:
        return None
    return np.array([name in row.nullColumns for row in frame.null_values], bool)
