"""Arrow IPC (stream or file), the fastest format for bulk telemetry."""

import struct

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.serving.decode.times import LATEST
from netops.serving.engine.samples import BodyError, Samples
from netops.telemetry.schema import IS_ERROR

_FILE_MAGIC = b"ARROW1"
#: Position of ``compression`` among the fields of a record batch, and of ``header`` in a message (Arrow's schema).
_COMPRESSION, _HEADER = 3, 2


def read_arrow(body: bytes, metrics: tuple[str, ...], batch: int, name_length: int) -> Samples:
    """Read an Arrow IPC body with the columns ``timestamp``, ``device`` and any of the metrics.

    Compressed buffers are rejected, because a small body could decompress to any size.

    Raises
    ------
    BodyError
        If it is not a valid Arrow body, or exceeds the limit.
    """
    try:
        table = _read_table(body, batch)
        return _samples(table, metrics, name_length)
    except (pa.ArrowException, ValueError, KeyError, TypeError, OSError, struct.error) as error:
        raise BodyError(f"not an Arrow body of samples: {str(error)[:200]}") from None


def _read_table(body: bytes, batch: int) -> pa.Table:
    buffer = pa.py_buffer(body)
    if body.startswith(_FILE_MAGIC):
        # A file contains a stream: reading that avoids trusting the footer.
        buffer = buffer.slice(8)
    batches, rows = [], 0
    messages = pa.ipc.MessageReader.open_stream(buffer)
    for message in messages:
        if _is_compressed(message.metadata.to_pybytes()):
            raise BodyError("compressed Arrow buffers are not supported; write with compression=None", 415)
    for found in pa.ipc.open_stream(buffer):
        found.validate(full=True)
        rows += found.num_rows
        if rows > batch:
            raise BodyError(f"more than {batch} samples in one request", 413)
        batches.append(found)
    return pa.Table.from_batches(batches)


def _is_compressed(metadata: bytes) -> bool:
    """Return whether the record batch of the message has compressed buffers."""
    message = struct.unpack_from("<I", metadata, 0)[0]
    header = _field(metadata, message, _HEADER)
    if header is None:
        return False
    kind = _field(metadata, message, 1)
    if kind is None or metadata[kind] not in (2, 3):  # DictionaryBatch, RecordBatch
        return False
    table = header + struct.unpack_from("<I", metadata, header)[0]
    if metadata[kind] == 2:
        data = _field(metadata, table, 1)
        if data is None:
            return False
        table = data + struct.unpack_from("<I", metadata, data)[0]
    return _field(metadata, table, _COMPRESSION) is not None


def _field(buffer: bytes, table: int, index: int) -> int | None:
    """Return the offset of a field in a flatbuffers table; None if it is absent."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    size = struct.unpack_from("<H", buffer, vtable)[0]
    if 4 + 2 * index >= size:
        return None
    offset = struct.unpack_from("<H", buffer, vtable + 4 + 2 * index)[0]
    return table + offset if offset else None


def _samples(table: pa.Table, metrics: tuple[str, ...], name_length: int) -> Samples:
    stamps = table.column("timestamp")
    timestamps = _timestamps(stamps)
    devices = _names(table, "device")
    values = np.full((table.num_rows, len(metrics)), np.nan)
    known = [name for name in metrics if name in table.column_names]
    for name in known:
        values[:, metrics.index(name)] = _floats(table.column(name))
    values[np.isinf(values)] = np.nan
    samples = Samples(devices, timestamps.tolist(), timestamps, values)
    for column in ("company", "data_center"):
        if column in table.column_names:
            setattr(samples, {"company": "companies"}.get(column, "data_centers"), _names(table, column))
    if IS_ERROR in table.column_names:
        samples.is_error = _flags(table.column(IS_ERROR))
    _reject_invalid(samples, stamps, bool(known), name_length)
    return samples


def _flags(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    if not (pa.types.is_boolean(column.type) or pa.types.is_integer(column.type)):
        raise TypeError(f"{IS_ERROR}: expected true or false")
    return column.cast(pa.bool_()).fill_null(False).to_numpy()


def _reject_invalid(samples: Samples, stamps: pa.ChunkedArray, known: bool, name_length: int) -> None:
    nulls = stamps.is_null().to_numpy(zero_copy_only=False)
    bad = nulls | (samples.timestamps < 0) | (samples.timestamps > LATEST)
    for row, name in enumerate(samples.devices):
        company = (samples.companies[row] if samples.companies else None) or ""
        center = (samples.data_centers[row] if samples.data_centers else None) or ""
        if not known:
            samples.errors[row] = "none of the metrics is present"
        elif bad[row]:
            samples.errors[row] = "timestamp: not within 1970..2116"
        elif not name or max(len(name), len(company), len(center)) > name_length:
            samples.errors[row] = f"device, company, data center: 1 to {name_length} characters"
    for row in samples.errors:
        samples.timestamps[row] = 0
        samples.raw[row] = {"device": samples.devices[row], "timestamp": samples.stamps[row]}


def _timestamps(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
    elif not pa.types.is_int64(column.type):
        raise TypeError("timestamp: expected timestamps, or int64 nanoseconds")
    return column.fill_null(0).to_numpy().copy()


def _names(table: pa.Table, name: str) -> list[str | None]:
    column = table.column(name)
    value_type = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(value_type) or pa.types.is_large_string(value_type)):
        raise TypeError(f"{name}: expected text")
    return column.to_pylist()


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise TypeError("metrics: expected numbers")
    return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
