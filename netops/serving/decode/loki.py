"""Loki's push API: streams of log lines, as JSON or as snappy-compressed protobuf."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from netops.logs.formats.collected import entry_fields, severity_of, text_of
from netops.serving.decode.compressed import decompress, unsnap
from netops.serving.decode.labels import read_labels
from netops.serving.decode.protobuf import Budget, TooManyFieldsError, fields, signed
from netops.serving.decode.times import LATEST
from netops.serving.engine.samples import BodyError
from netops.serving.logs.messages import Message

JSON_TYPE = "application/json"
#: Maximum fields of a protobuf request per allowed entry: one with structured metadata of 15 pairs has 50.
_FIELDS = 64
#: Longest label set, in characters.
_LABELS = 65_536
_SKIPPED = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)

Metadata: TypeAlias = Mapping[str, Any]


class PushLimits(NamedTuple):
    """Limits of a request: decompressed bytes, entries, and characters of a line."""

    size: int
    entries: int
    line: int


class _Entry(msgspec.Struct, array_like=True, gc=False):
    time: str | int
    line: str
    metadata: dict[str, Any] = {}


class _Stream(msgspec.Struct):
    values: list[_Entry]
    stream: dict[str, Any] = {}


class _Request(msgspec.Struct):
    streams: list[_Stream]


_DECODER = msgspec.json.Decoder(_Request)


def read_push(
    body: bytes, content_type: str, encoding: str, limits: PushLimits, hosts: Sequence[str]
) -> list[Message | str]:
    """Read a request; a text is the reason why an entry cannot be read.

    Parameters
    ----------
    body : bytes
    content_type, encoding : str
        The headers; what is not JSON is protobuf, as Loki has it.
    limits : PushLimits
    hosts : sequence of str
        Names of labels with the host.

    Raises
    ------
    BodyError
        If it is not a valid request, or exceeds a limit.
    """
    content = decompress(body, "" if encoding.strip().lower() == "snappy" else encoding, limits.size)
    reader = _Reader(limits, hosts)
    if content_type.partition(";")[0].strip().lower() == JSON_TYPE:
        _read_json(content, reader)
    else:
        _read_protobuf(content, reader)
    return reader.messages


class _Reader:
    """Collects the entries of streams."""

    _host: str
    _severity: int

    def __init__(self, limits: PushLimits, hosts: Sequence[str]) -> None:
        self.limits, self.messages = limits, list[Message | str]()
        self._hosts = hosts

    def begin(self, labels: Metadata) -> None:
        """Begin a stream."""
        self._host, self._severity = text_of(labels, self._hosts), severity_of(labels)

    def add(self, time: int | None, line: str, metadata: Metadata) -> None:
        """Add an entry of the stream."""
        if len(self.messages) >= self.limits.entries:
            raise _too_many(self.limits)
        self.messages.append(self._message(time, line, metadata))

    def _message(self, time: int | None, line: str, metadata: Metadata) -> Message | str:
        if time is None or not 0 < time <= LATEST:
            return "its time is not a number of nanoseconds"
        if len(line) > self.limits.line:
            return f"longer than {self.limits.line:,} characters"
        found = entry_fields("", self._host, self._severity, line, metadata, self._hosts)
        return Message(time, found.host, found.severity, found.message) if found.host else "names no host"


def _too_many(limits: PushLimits) -> BodyError:
    return BodyError(f"more than {limits.entries} log entries in one request (messages.max_entries)", 413)


# JSON


def _read_json(content: bytes, reader: _Reader) -> None:
    # Each entry and the entries of a stream are a list: counted first, since decoding takes many times the memory.
    if content.count(b"[") > reader.limits.entries and _lists(content) > 2 * reader.limits.entries + 1:
        raise _too_many(reader.limits)
    try:
        request = _DECODER.decode(_valid(content))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BodyError(f"not a push request of Loki: {error}") from None
    for stream in request.streams:
        reader.begin(stream.stream)
        for entry in stream.values:
            reader.add(_nanoseconds(entry.time), entry.line, entry.metadata)


def _valid(content: bytes) -> bytes:
    """Replace bytes that are not UTF-8: some collectors send the lines of devices as they are."""
    try:
        str(content, "utf-8")
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace").encode()
    return content


def _lists(content: bytes) -> int:
    """Count the lists, without brackets in texts."""
    return _SKIPPED.sub(b"", content).count(b"[")


def _nanoseconds(value: str | int) -> int | None:
    if isinstance(value, int):
        return value
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 19 else None


# Protobuf: PushRequest {1: streams}, Stream {1: labels, 2: entries}, Entry {1: timestamp, 2: line, 3: metadata}


def _read_protobuf(content: bytes, reader: _Reader) -> None:
    budget = Budget(_FIELDS * reader.limits.entries)
    try:
        message = memoryview(unsnap(content, reader.limits.size))
        for number, stream in fields(message, budget):
            if number == 1 and isinstance(stream, memoryview):
                _read_stream(stream, reader, budget)
    except TooManyFieldsError:
        raise BodyError(f"more than {_FIELDS * reader.limits.entries} fields in one request", 413) from None
    except ValueError as error:
        raise BodyError(f"not a push request of Loki: {error}") from None


def _read_stream(stream: memoryview, reader: _Reader, budget: Budget) -> None:
    labels, entries = "", []
    for number, part in fields(stream, budget):
        if number == 1 and isinstance(part, memoryview):
            if len(part) > _LABELS:
                raise ValueError("a label set is too long")
            labels = _decoded(part)
        elif number == 2 and isinstance(part, memoryview):
            entries.append(part)
    reader.begin(read_labels(labels) if labels else {})
    for entry in entries:
        _read_entry(entry, reader, budget)


def _read_entry(entry: memoryview, reader: _Reader, budget: Budget) -> None:
    time, line, metadata = 0, "", {}
    for number, part in fields(entry, budget):
        if not isinstance(part, memoryview):
            continue
        if number == 1:
            time = _time(part, budget)
        elif number == 2:
            line = _decoded(part)
        elif number == 3:
            pair = {key: text for key, text in fields(part, budget) if isinstance(text, memoryview)}
            metadata[_decoded(pair.get(1, _EMPTY))] = _decoded(pair.get(2, _EMPTY))
    reader.add(time, line, metadata)


_EMPTY = memoryview(b"")


def _time(part: memoryview, budget: Budget) -> int:
    found = {number: value for number, value in fields(part, budget) if isinstance(value, int)}
    return signed(found.get(1, 0)) * 10**9 + signed(found.get(2, 0))


def _decoded(part: memoryview) -> str:
    return str(part, "utf-8", "replace")
