"""Loki's push API: JSON and protobuf as Promtail, Alloy, Vector and Fluent Bit send them."""

import gzip
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.logs.formats.collected import HOST_LABELS, host_names
from netops.serving.decode.labels import read_labels
from netops.serving.decode.loki import PushLimits, read_push
from netops.serving.engine.samples import BodyError
from netops.serving.logs.messages import Message
from tests.serving.bodies.test_remote_write import field, varint

NOON = 1_795_867_200_000_000_000
JSON, PROTOBUF = "application/json", "application/x-protobuf"
LIMITS = PushLimits(1 << 20, 1000, 4096)


def read(body: bytes, kind: str = JSON, encoding: str = "", limits: PushLimits = LIMITS) -> list[Message | str]:
    return read_push(body, kind, encoding, limits, host_names(HOST_LABELS))


def as_json(*streams: tuple[dict[str, Any], list[Any]]) -> bytes:
    return json.dumps({"streams": [{"stream": labels, "values": values} for labels, values in streams]}).encode()


def entry(time: int, line: str, metadata: dict[str, str] | None = None) -> bytes:
    stamp = varint(1 << 3) + varint(time // 10**9) + varint(2 << 3) + varint(time % 10**9)
    pairs = (field(3, field(1, key.encode()) + field(2, text.encode())) for key, text in (metadata or {}).items())
    return field(2, field(1, stamp) + field(2, line.encode()) + b"".join(pairs))


def as_protobuf(labels: str, *entries: bytes) -> bytes:
    # 3: the hash of the stream, which Promtail sends, too.
    stream = field(1, labels.encode()) + b"".join(entries) + varint(3 << 3) + varint(1 << 63)
    return bytes(cramjam.snappy.compress_raw(field(1, stream)))


def test_json_and_protobuf_give_the_same_messages() -> None:
    metadata = {"detected_level": "warn", "traceID": "0242ac120002"}
    text = read(
        as_json(({"host": "leaf1", "job": "a"}, [[str(NOON), "fan 3 slow", metadata], [str(NOON + 1), "x"]]))
    )
    binary = read(
        as_protobuf('{host="leaf1", job="a"}', entry(NOON, "fan 3 slow", metadata), entry(NOON + 1, "x")), PROTOBUF
    )
    expected = [Message(NOON, "leaf1", 4, "fan 3 slow"), Message(NOON + 1, "leaf1", -1, "x")]
    assert text == binary == expected


@pytest.mark.parametrize(
    ("labels", "host"),
    [
        ({"instance": "10.0.0.1:9100", "hostname": "leaf1"}, "leaf1"),
        ({"nodename": "leaf1", "node": ""}, "leaf1"),
        ({"job": "syslog", "router": "leaf2"}, "leaf2"),
    ],
)
def test_the_host_is_the_first_label_present(labels: dict[str, str], host: str) -> None:
    assert read(as_json((labels, [[str(NOON), "x"]]))) == [Message(NOON, host, -1, "x")]


def test_an_entry_without_a_host_is_counted() -> None:
    assert read(as_json(({"job": "syslog"}, [[str(NOON), "x"]]))) == ["names no host"]


def test_metadata_has_the_host_and_the_severity_that_labels_do_not_have() -> None:
    found = read(as_json(({"level": "error"}, [[str(NOON), "x", {"host": "a", "level": "info"}]])))
    assert found == [Message(NOON, "a", 3, "x")]


def test_a_line_that_is_syslog_is_read_as_such() -> None:
    line = "<189>Nov 28 03:17:18 leaf1 Ebra: %LINEPROTO-5-UPDOWN: Interface Et1, changed state to down\n"
    (found,) = read(as_json(({"host": "relay", "level": "info"}, [[str(NOON), line]])))
    assert found == Message(NOON, "leaf1", 5, "%LINEPROTO-5-UPDOWN: Interface Et1, changed state to down")


def test_compressed_json() -> None:
    body = as_json(({"host": "a"}, [[str(NOON), "x"]]))
    raw = zlib.compressobj(wbits=-15)
    deflated = raw.compress(body) + raw.flush()
    half = gzip.compress(body[:20]) + gzip.compress(body[20:])
    for sent, encoding in (
        (gzip.compress(body), "gzip"),
        (half, "GZIP"),
        (deflated, "deflate"),
        (body, "identity"),
    ):
        assert read(sent, f"{JSON}; charset=utf-8", encoding) == [Message(NOON, "a", -1, "x")]


def test_snappy_may_be_named_as_the_encoding() -> None:
    body = as_protobuf('{host="a"}', entry(NOON, "x"))
    assert read(body, "", "snappy") == read(body, PROTOBUF) == [Message(NOON, "a", -1, "x")]


@pytest.mark.parametrize("time", ["", "x", "-1", "1.5", "9" * 30, "0", -1, 0, 1 << 62, "0" + str(NOON)])
def test_an_entry_without_a_time_is_counted(time: object) -> None:
    found = read(as_json(({"host": "a"}, [[time, "x"], [str(NOON), "y"]])))
    assert found == ["its time is not a number of nanoseconds", Message(NOON, "a", -1, "y")]


def test_the_first_and_the_latest_time() -> None:
    latest = (1 << 62) - 1
    for time in (1, latest, str(latest)):
        assert read(as_json(({"host": "a"}, [[time, "x"]]))) == [Message(int(time), "a", -1, "x")]


def test_a_time_of_protobuf_may_be_incomplete() -> None:
    seconds = field(2, field(1, varint(1 << 3) + varint(NOON // 10**9)) + field(2, b"x"))
    nanoseconds = field(2, field(1, varint(2 << 3) + varint(7)) + field(2, b"x"))
    found = read(as_protobuf('{host="a"}', seconds, nanoseconds, field(2, field(2, b"x"))), PROTOBUF)
    expected = [Message(time, "a", -1, "x") for time in (NOON // 10**9 * 10**9, 7)]
    assert found == [*expected, "its time is not a number of nanoseconds"]


def test_unknown_fields_of_protobuf_are_ignored() -> None:
    number, text = varint(9 << 3) + varint(7), field(10, b"x")
    inner = field(2, number + text + field(1, number + text + varint(2 << 3) + varint(7)) + field(2, b"x"))
    stream = number + text + field(1, b'{host="a"}') + inner
    body = number + text + field(1, stream)
    assert read(bytes(cramjam.snappy.compress_raw(body)), PROTOBUF) == [Message(7, "a", -1, "x")]


def test_label_sets_have_a_maximum_length() -> None:
    labels = '{host="a", b="%s"}'
    fitting = labels % ("x" * (65_536 - len(labels) + 2))
    assert len(read(as_protobuf(fitting, entry(NOON, "x")), PROTOBUF)) == 1
    with pytest.raises(BodyError, match="a label set is too long"):
        read(as_protobuf(fitting + " ", entry(NOON, "x")), PROTOBUF)


def test_a_line_of_the_maximum_length_is_read() -> None:
    line = "x" * LIMITS.line
    assert read(as_json(({"host": "a"}, [[str(NOON), line]]))) == [Message(NOON, "a", -1, line)]


def test_a_line_that_is_too_long_is_counted() -> None:
    assert read(as_json(({"host": "a"}, [[str(NOON), "x" * 5000]]))) == ["longer than 4,096 characters"]


def test_text_that_is_not_valid_is_replaced() -> None:
    body = b'{"streams": [{"stream": {"host": "\xff"}, "values": [["%d", "\xed\xa0\x80"]]}]}' % NOON
    assert read(body) == [Message(NOON, "\ufffd", -1, "\ufffd" * 3)]


@pytest.mark.parametrize(
    ("body", "kind", "encoding", "reason"),
    [
        (b"", JSON, "", "not a push request"),
        (b"[]", JSON, "", "not a push request"),
        (b'{"streams": [{"stream": {}, "values": [["1"]]}]}', JSON, "", "not a push request"),
        (b"[" * 100_000, JSON, "", "more than 1000 log entries"),
        (b"{}", JSON, "br", "unknown Content-Encoding 'br'; known: gzip"),
        (b"{}", JSON, "gzip", "not gzip"),
        (gzip.compress(b"{}", mtime=0)[:-9], JSON, "gzip", "not gzip"),
        (b"", PROTOBUF, "", "not a push request"),
        (b"plain text", "text/plain", "", "not a push request"),
        (as_protobuf("host=a", entry(1, "x")), PROTOBUF, "", "not a set of labels"),
        (bytes(cramjam.snappy.compress_raw(b"\x0a\x7f")), PROTOBUF, "", "truncated"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(body: bytes, kind: str, encoding: str, reason: str) -> None:
    with pytest.raises(BodyError, match=reason) as raised:
        read(body, kind, encoding)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("body", "kind", "encoding"),
    [
        (gzip.compress(b" " * (2 << 20)), JSON, "gzip"),
        (bytes(cramjam.snappy.compress_raw(b"\0" * (2 << 20))), PROTOBUF, ""),
        (as_json(*[({"host": "a"}, [["1", "x"]])] * 1001), JSON, ""),
        (as_json(({"host": "a"}, [["1", "x"]] * 3000)), JSON, ""),
        (as_protobuf("{}", *[entry(1, "x")] * 1001), PROTOBUF, ""),
        (bytes(cramjam.snappy.compress_raw(b"\x0a\x00" * 100_000)), PROTOBUF, ""),
    ],
)
def test_a_small_body_cannot_unfold_to_any_size(body: bytes, kind: str, encoding: str) -> None:
    with pytest.raises(BodyError) as raised:
        read(body, kind, encoding)
    assert raised.value.status == 413


@pytest.mark.parametrize(("lists", "status"), [(2000, 400), (2001, 413)])
def test_lists_are_counted_before_they_are_decoded(lists: int, status: int) -> None:
    with pytest.raises(BodyError) as raised:
        read(b'{"streams": [' + b"[]," * (lists - 1) + b"[]]}")
    assert raised.value.status == status


def test_fields_are_limited() -> None:
    with pytest.raises(BodyError, match="more than 64000 fields in one request"):
        read(bytes(cramjam.snappy.compress_raw(b"\x0a\x00" * 100_000)), PROTOBUF)


def test_brackets_in_lines_are_no_entries() -> None:
    assert len(read(as_json(({"host": "a"}, [[str(NOON), "[" * 4000]] * 10)))) == 10
    assert len(read(as_json(*[({"host": "a"}, [[str(NOON), "[x]"]])] * 1000))) == 1000


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("{}", {}),
        ('{a="b"}', {"a": "b"}),
        (' { a = "b" , c="d", } ', {"a": "b", "c": "d"}),
        (r'{a="q\"uote, }", b="\\n\n\u00e9\x41\101"}', {"a": 'q"uote, }', "b": "\\n\né" + "AA"}),
        ('{"service.name"="x", b=`raw\\n`}', {"service.name": "x", "b": "raw\\n"}),
    ],
)
def test_label_sets(text: str, labels: dict[str, str]) -> None:
    assert read_labels(text) == labels


@pytest.mark.parametrize("text", ["", "{", "a", '{a="b"', '{a="b" c="d"}', "{a=b}", '{="b"}', '{a="b\\"}'])
def test_what_is_no_label_set_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a set of labels"):
        read_labels(text)


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z_]\w{0,9}", fullmatch=True), st.text()))
def test_any_labels_are_read_as_they_were_written(labels: dict[str, str]) -> None:
    written = ", ".join(f'{name}="{_quoted(text)}"' for name, text in labels.items())
    assert read_labels("{" + written + "}") == labels


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
ENTRIES = st.lists(st.one_of(VALUES, st.tuples(st.integers().map(str), st.text())), max_size=4)
STREAMS = st.lists(st.fixed_dictionaries({"stream": VALUES, "values": st.one_of(VALUES, ENTRIES)}), max_size=3)


@settings(deadline=None)
@given(st.one_of(VALUES, st.fixed_dictionaries({"streams": STREAMS})))
def test_any_json_is_read_or_refused(value: Any) -> None:
    _read_or_refused(lambda: read(json.dumps(value).encode()))


@settings(deadline=None)
@given(st.binary(), st.sampled_from(["", "gzip", "deflate", "snappy"]))
def test_any_bytes_are_read_or_refused(body: bytes, encoding: str) -> None:
    _read_or_refused(lambda: read(body, JSON, encoding))
    _read_or_refused(lambda: read(bytes(cramjam.snappy.compress_raw(body)), PROTOBUF, encoding))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=30)), st.text(), st.integers(0, 1 << 64), st.text())
def test_every_entry_of_protobuf_is_counted_once(parts: list[bytes], labels: str, time: int, line: str) -> None:
    good = as_protobuf(
        '{host="a"}', *(field(2, field(2, part)) for part in parts), entry(time % LATEST, line.replace("\0", ""))
    )
    found = read(good, PROTOBUF)
    assert len(found) == len(parts) + 1
    _read_or_refused(lambda: read(as_protobuf(labels, *(field(2, part) for part in parts)), PROTOBUF))


LATEST = (1 << 62) - 1


def _read_or_refused(work: Callable[[], object]) -> None:
    with suppress(BodyError):
        work()
