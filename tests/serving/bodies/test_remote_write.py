import struct

import cramjam
import numpy as np
import pytest

from netops.config.durations import SECOND
from netops.serving.decode.remote_write import Joiner, read_remote_write
from netops.serving.engine.samples import BodyError
from tests.serving.models import METRICS


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def series(labels: dict[str, str], points: list[tuple[int, float]]) -> bytes:
    content = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in labels.items())
    for milliseconds, value in points:
        content += field(2, varint(1 << 3 | 1) + struct.pack("<d", value) + varint(2 << 3) + varint(milliseconds))
    return field(1, content)


def request(*all_series: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(b"".join(all_series)))


def read(body: bytes, limit: int = 1 << 20, batch: int = 1000):
    return read_remote_write(body, limit, batch, 32)


def test_reads_series_of_devices():
    labels = {"__name__": "latency", "instance": "r1:9100", "company": "c"}
    points = read(request(series(labels, [(1000, 1.5), (2000, 2.5)]), series({"__name__": "up"}, [(1, 1.0)])))
    assert [(p.device, p.timestamp, p.metric, p.value, p.company) for p in points] == [
        ("r1:9100", 1_000_000_000, "latency", 1.5, "c"),
        ("r1:9100", 2_000_000_000, "latency", 2.5, "c"),
    ]


def test_the_mark_of_an_ended_series_is_a_missing_value():
    stale = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
    assert np.isnan(read(request(series({"__name__": "x", "device": "a"}, [(1, stale)])))[0].value)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff" * 20, b"plain", request(b"\x0a\xff\xff\xff"), request(b"\x0b"), request(field(1, b"\x0a\x7f"))],
)
def test_what_is_no_request_is_refused(body):
    with pytest.raises(BodyError):
        read(body)


def test_a_small_body_cannot_unfold_to_any_size():
    with pytest.raises(BodyError, match="decompresses"):
        read(request(b"\0" * (2 << 20)))
    with pytest.raises(BodyError, match="more than"):
        read(request(*[series({"__name__": "x", "device": "a"}, [(1, 1.0)])] * 11), batch=10)


def points_of(device: str, seconds: int, *metrics: str):
    return read(request(*(series({"__name__": m, "device": device}, [(seconds * 1000, 1.0)]) for m in metrics)))


def test_metrics_from_several_requests_become_one_sample():
    joiner = Joiner(METRICS, 10 * SECOND, 100)
    assert len(joiner.add(points_of("a", 100, *METRICS[:3]))) == 0
    assert joiner.pending() == 100 * SECOND
    samples = joiner.add(points_of("a", 100, METRICS[3]))
    assert samples.values.tolist() == [[1.0] * 4]
    assert joiner.pending() is None


def test_an_incomplete_sample_waits_until_its_device_has_moved_on():
    joiner = Joiner(METRICS, 10 * SECOND, 100)
    joiner.add(points_of("a", 100, "latency"))
    assert len(joiner.add(points_of("a", 105, "latency"))) == 0
    samples = joiner.add(points_of("a", 110, "latency"))
    assert samples.timestamps.tolist() == [100 * SECOND]
    assert np.isnan(samples.values[0]).sum() == 3


def test_what_waits_is_bounded_and_can_be_saved():
    joiner = Joiner(METRICS, 10 * SECOND, 2)
    for device in "abc":
        samples = joiner.add(points_of(device, 100, "latency"))
    assert samples.devices == ["a"]
    other = Joiner(METRICS, 10 * SECOND, 2)
    other.restore(joiner.save())
    assert other.drain().devices == joiner.drain().devices == ["b", "c"]
