"""Messages as samples: each is a request of its own, however many are read together."""

import io
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netops.serving.engine.pipeline import Pipeline, Unreadable
from netops.serving.engine.samples import Samples
from netops.serving.settings import LimitSettings, ServingSettings
from netops.serving.stream.messages import Message, parse_messages
from tests.serving.samples import sample


def parsed(pipeline: Pipeline, *values: bytes, kind: str = "") -> list:
    return list(parse_messages(pipeline, [Message(100 + row, value, kind) for row, value in enumerate(values)]))


def one(device: str, tick: int = 0) -> bytes:
    return json.dumps(sample(device, tick)).encode()


def arrow(*samples: dict, file: bool = False) -> bytes:
    table = pa.Table.from_pylist([one | {"timestamp": one["timestamp"] * 10**9} for one in samples])
    sink = io.BytesIO()
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_single_samples_are_read_together_with_their_offsets(start) -> None:
    (batch,) = parsed(start(), one("a"), one("b"), one("a", 1))
    assert batch.samples.devices == ["a", "b", "a"]
    assert batch.samples.offsets == [100, 101, 102]
    assert (batch.messages, batch.offset) == (3, 102)


def test_at_most_a_slice_is_read_together(start) -> None:
    batches = parsed(start(), *(one(f"d{row}") for row in range(600)))
    assert [batch.messages for batch in batches] == [250, 250, 100]
    assert [batch.offset for batch in batches] == [349, 599, 699]


def test_an_invalid_message_affects_no_other(start) -> None:
    (batch,) = parsed(start(), one("a"), b'{"device": "x"', one("b"), b"", b'{"device": "c"},{"device": "d"}', b"7")
    assert batch.samples.devices == ["a", None, "b", None, None, None]
    assert set(batch.samples.errors) == {1, 3, 4, 5}


def test_lists_lines_and_arrow_are_detected(start) -> None:
    pipeline = start()
    listed = json.dumps([sample("a", 0), sample("b", 0)]).encode()
    lines = one("a") + b"\n" + one("b") + b"\n"
    pretty = json.dumps(sample("a", 0), indent=2).encode()
    found = parsed(
        pipeline, listed, lines, arrow(sample("a", 0), sample("b", 0)), arrow(sample("a", 0), file=True), pretty
    )
    assert [batch.samples.devices for batch in found] == [["a", "b"], ["a", "b"], ["a", "b"], ["a"], ["a"]]
    assert [batch.samples.offsets for batch in found] == [[100, 100], [101, 101], [102, 102], [103], [104]]
    assert not any(batch.samples.errors for batch in found)


def test_the_content_type_decides_if_there_is_one(start) -> None:
    (found,) = parsed(start(), one("a"), kind="application/x-ndjson; charset=utf-8")
    assert found.samples.devices == ["a"]
    (found,) = parsed(start(), b"not arrow", kind="application/vnd.apache.arrow.stream")
    assert isinstance(found.samples, Unreadable)
    (found,) = parsed(start(), b"", kind="application/x-protobuf")
    assert "HTTP only" in str(found.samples.error)


def test_limits_apply_to_each_message(start) -> None:
    pipeline = start(ServingSettings(limits=LimitSettings(body_bytes=1024, batch=2)))
    listed = json.dumps([{"device": "a"}] * 3).encode()
    long = one("a") + b" " * 1024
    found = parsed(pipeline, long, listed, one("b"))
    assert [isinstance(batch.samples, Unreadable) for batch in found] == [True, True, False]
    assert [batch.offset for batch in found] == [100, 101, 102]


def test_a_message_of_the_maximum_length_is_read(start) -> None:
    pipeline = start(ServingSettings(limits=LimitSettings(body_bytes=1024)))
    single, listed = one("a").ljust(1024), (b"[" + one("b") + b"]").ljust(1024)
    found = parsed(pipeline, single, listed)
    assert [batch.samples.devices for batch in found] == [["a"], ["b"]]
    assert [isinstance(batch.samples, Unreadable) for batch in parsed(pipeline, single + b" ", listed + b" ")] == [
        True,
        True,
    ]


def test_an_object_of_several_lines_is_one_sample_also_with_other_names(start) -> None:
    given = sample("a", 0)
    given["time"], given["host"] = given.pop("timestamp"), given.pop("device")
    (batch,) = parsed(start(), json.dumps(given, indent=1).encode())
    assert (batch.samples.devices, batch.samples.errors) == (["a"], {})


_PIECES = st.sampled_from(
    [b"{", b"}", b"[", b"]", b",", b"\n", b'"a"', b":", b"1", b"\xff", b"NaN", one("a"), one("b")]
)


@pytest.fixture(scope="module")
def pipeline(model, tmp_path_factory):
    from netops.serving.engine.champion import FixedModel
    from netops.serving.engine.runtime import Runtime

    runtime = Runtime("demo", FixedModel("v1", model), folder=tmp_path_factory.mktemp("state"))
    yield Pipeline(runtime)
    runtime.close()


@given(st.lists(st.lists(_PIECES, max_size=6).map(b"".join), max_size=8))
def test_any_messages_are_read_as_if_each_was_alone(pipeline, values) -> None:
    together = parsed(pipeline, *values)
    assert sum(batch.messages for batch in together) == len(values)
    rows = []
    for batch in together:
        if isinstance(batch.samples, Samples):
            found = batch.samples
            rows += [(found.offsets[row], found.devices[row], row in found.errors) for row in range(len(found))]
    alone = []
    for index, value in enumerate(values):
        (batch,) = parsed(pipeline, value)
        if isinstance(batch.samples, Samples):
            found = batch.samples
            alone += [(100 + index, found.devices[row], row in found.errors) for row in range(len(found))]
    assert rows == alone
