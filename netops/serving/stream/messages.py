"""The messages of a partition as samples. Many messages with one sample each are read as one batch."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from netops.logs.formats.protocol import Fields
from netops.serving.engine.pipeline import ARROW_TYPES, NDJSON_TYPES, REMOTE_WRITE_TYPE, Pipeline, Unreadable
from netops.serving.engine.samples import BodyError, Samples, reject_invalid_text
from netops.serving.engine.work import SLICE
from netops.serving.logs.lines import fields_of

#: Lines of syslog: log messages.
TEXT_TYPE = "text/plain"
_SPACES = b" \t\r\n"
#: The first bytes of an Arrow file, and of an Arrow stream; which of the two it is, its reader sees by itself.
_ARROW_STARTS = (b"ARROW1", b"\xff\xff\xff\xff")
_ARROW, _LINES = "application/vnd.apache.arrow.stream", "application/x-ndjson"


class Message(NamedTuple):
    """A message: offset, value, content type (empty if it has no such header) and key."""

    offset: int
    value: bytes
    content_type: str = ""
    key: str = ""


class Lines(NamedTuple):
    """Log messages of syslog, parsed; ``device`` is that of lines that name none."""

    fields: list[Fields | str]
    device: str
    raw: bytes


class Batch(NamedTuple):
    """One or several messages in order, parsed.

    ``messages`` is their number, ``offset`` that of the last one.
    """

    samples: Samples | Unreadable | Lines
    messages: int
    offset: int


def parse_messages(pipeline: Pipeline, messages: Sequence[Message]) -> Iterator[Batch]:
    """Parse messages; changes no state, so it may run in another thread.

    A message is a request of its own: what is wrong with it affects no other. Messages with one JSON object each
    are read together, at most ``SLICE`` of them.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline whose metrics and limits apply.
    messages : sequence of Message
        The messages of one partition.
    """
    objects: list[Message] = []
    for message in messages:
        kind = _kind(message)
        if kind == "" and len(message.value) <= pipeline.runtime.settings.limits.body_bytes:
            objects.append(message)
            if len(objects) == SLICE:
                yield _together(pipeline, objects)
                objects = []
            continue
        if objects:
            yield _together(pipeline, objects)
            objects = []
        yield _alone(pipeline, message, kind)
    if objects:
        yield _together(pipeline, objects)


def _kind(message: Message) -> str:
    """Return the content type of a message; empty: one JSON value that is not a list."""
    if message.content_type:
        kind = message.content_type.partition(";")[0].strip().lower()
        if kind in (*ARROW_TYPES, *NDJSON_TYPES, REMOTE_WRITE_TYPE, TEXT_TYPE):
            return kind
    value = message.value
    if value.startswith(_ARROW_STARTS):
        return _ARROW
    body = value.strip(_SPACES)
    if body[:1] == b"[":
        return "application/json"
    return _LINES if b"\n" in body and not _is_json(body) else ""


def _lines(message: Message, longest: int) -> Lines:
    lines = (line.rstrip("\r") for line in message.value.decode("utf-8", "replace").split("\n") if line.strip())
    return Lines(list(fields_of(lines, longest)), message.key, message.value)


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True


def _together(pipeline: Pipeline, messages: Sequence[Message]) -> Batch:
    reader = pipeline.runtime.reader  # that of this champion: another one may come before they are processed
    samples = reader.read_objects([message.value for message in messages])
    samples.metrics = reader.metrics
    reject_invalid_text(samples)
    samples.offsets = [message.offset for message in messages]
    return Batch(samples, len(messages), messages[-1].offset)


def _alone(pipeline: Pipeline, message: Message, kind: str) -> Batch:
    limit = pipeline.runtime.settings.limits.body_bytes
    if len(message.value) > limit:
        found: object = Unreadable(message.value, BodyError(f"the message has more than {limit} bytes"))
    elif kind == REMOTE_WRITE_TYPE:
        found = Unreadable(message.value, BodyError("remote write is accepted over HTTP only"))
    elif kind == TEXT_TYPE:
        found = _lines(message, pipeline.runtime.settings.messages.max_line)
    else:
        found = pipeline.parse(message.value, kind)
    assert isinstance(found, Samples | Unreadable | Lines)
    if isinstance(found, Samples):
        found.offsets = [message.offset] * len(found)
    return Batch(found, 1, message.offset)
