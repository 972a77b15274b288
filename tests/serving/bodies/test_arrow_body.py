import io

import numpy as np
import pyarrow as pa
import pytest

from netops.serving.decode.arrow import read_arrow
from netops.serving.engine.samples import BodyError
from tests.serving.models import METRICS


def table(rows: int = 3) -> pa.Table:
    return pa.table(
        {
            "timestamp": pa.array(np.arange(rows) * 1_000_000, pa.timestamp("ms", "UTC")),
            "device": pa.array(["a", "b", "a"][:rows] + ["c"] * (rows - 3)).dictionary_encode(),
            "latency": pa.array([1.0, None, np.inf][:rows] + [0.0] * (rows - 3)),
            "company": pa.array(["x"] * rows),
        }
    )


def written(content: pa.Table, kind=pa.ipc.new_stream, **options) -> bytes:
    sink = io.BytesIO()
    with kind(sink, content.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(content)
    return sink.getvalue()


def read(body: bytes, batch: int = 100):
    return read_arrow(body, METRICS, batch, 16)


@pytest.mark.parametrize("kind", [pa.ipc.new_stream, pa.ipc.new_file])
def test_reads_streams_and_files(kind):
    samples = read(written(table(), kind))
    assert samples.devices == ["a", "b", "a"]
    assert samples.timestamps.tolist() == [0, 10**12, 2 * 10**12]
    np.testing.assert_array_equal(samples.values[:, 1], [1.0, np.nan, np.nan])
    assert samples.companies == ["x"] * 3


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("kind", [pa.ipc.new_stream, pa.ipc.new_file])
def test_refuses_compressed_buffers_before_they_unfold(compression, kind):
    with pytest.raises(BodyError, match="compressed"):
        read(written(table(), kind, compression=compression))


def test_refuses_too_many_rows():
    with pytest.raises(BodyError, match="more than 100"):
        read(written(table(101)))


def test_rows_without_device_or_time_are_rejected_alone():
    content = pa.table(
        {
            "timestamp": pa.array([1, None, -5, 4], pa.int64()),
            "device": pa.array(["a", "b", "c", None]),
            "latency": pa.array([1.0] * 4),
        }
    )
    assert sorted(read(written(content)).errors) == [1, 2, 3]


@pytest.mark.parametrize("body", [b"", b"ARROW1", b"x" * 100, written(table())[:200], written(table())[:-300]])
def test_what_is_no_arrow_is_refused(body):
    with pytest.raises(BodyError):
        samples = read(body)
        assert len(samples) == 3, "a stream may end without its mark"
        raise BodyError("whole")


def test_flipped_bytes_never_crash():
    random, whole = np.random.default_rng(0), bytearray(written(table()))
    for _ in range(300):
        broken = bytearray(whole)
        for index in random.integers(0, len(whole), 4):
            broken[index] = random.integers(256)
        try:
            read(bytes(broken))
        except BodyError:
            continue
