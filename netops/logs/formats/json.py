"""JSON of log stores: lines, and documents that Loki and Elasticsearch answer with."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from netops.errors import NetopsError
from netops.json_types import Json
from netops.logs.formats.by_line import NOT_OF_FORMAT, TOO_LONG
from netops.logs.formats.collected import HOST_LABELS, entry_fields, host_names, line_fields, severity_of, text_of
from netops.logs.formats.protocol import Blocks, Entries, Fields

#: Maximum size of a document that is not in lines, in characters: it is read as a whole.
MAX_DOCUMENT = 256 << 20
_TIME = (
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "_time",
    "datetime",
    "date",
    "eventtime",
    "_SOURCE_REALTIME_TIMESTAMP",
)
_MESSAGE = ("message", "msg", "line", "log", "text", "event.original", "MESSAGE", "body", "raw")
_decode = msgspec.json.Decoder().decode


def json_entries(blocks: Blocks, longest: int, document: bool, host_labels: Sequence[str] = HOST_LABELS) -> Entries:
    """Parse JSON lines, or one document.

    Parameters
    ----------
    blocks : iterator
        Lines (see ``lines.read_lines``).
    longest : int
        Maximum length of a line.
    document : bool
        Whether all lines together are one JSON value.
    host_labels : sequence of str
        Labels with the host; the first one present is used, else further usual names.

    Raises
    ------
    NetopsError
        If a document is too large.
    """
    names = host_names(host_labels)
    for at, text in _whole(blocks) if document else _each(blocks):
        if not document and len(text) > longest:
            yield at, TOO_LONG.format(longest), text
            continue
        try:
            records = list(_records(_decode(text), names))
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):  # the last: nested too deeply
            yield at, NOT_OF_FORMAT.format("json"), text
            continue
        for found in records:
            yield at, found, text[:200]


def _each(blocks: Blocks) -> Iterator[tuple[int, str]]:
    for first, lines in blocks:
        yield from ((at, line) for at, line in enumerate(lines, first) if line and not line.isspace())


def _whole(blocks: Blocks) -> Iterator[tuple[int, str]]:
    parts, size = [], 0
    for _, lines in blocks:
        parts += lines
        size += sum(map(len, lines))
        if size > MAX_DOCUMENT:
            raise NetopsError(f"a JSON document of more than {MAX_DOCUMENT >> 20} MB; write it as JSON lines")
    yield 1, "\n".join(parts)


def _records(value: Json, names: Sequence[str]) -> Iterator[Fields | str]:
    """Find the messages in a JSON value: one record, a list of them, or an answer of Loki or Elasticsearch."""
    if isinstance(value, list):
        for item in value:
            yield from _records(item, names)
    elif not isinstance(value, dict):
        yield "JSON values set aside that are not objects"
    elif (streams := _streams(value)) is not None:
        for stream in streams:
            yield from _of_stream(stream, names)
    elif isinstance(hits := _at(value, "hits", "hits"), list):
        yield from _records(hits, names)
    else:
        yield _record(value, names)


def _streams(value: Mapping[str, Json]) -> Sequence[Json] | None:
    """Return the streams of Loki: of an answer (data.result), or of its push format (streams)."""
    for found in (value.get("streams"), _at(value, "data", "result")):
        if isinstance(found, list):
            return found
    return [value] if isinstance(value.get("stream"), dict) and isinstance(value.get("values"), list) else None


def _at(value: Mapping[str, Json], outer: str, inner: str) -> Json:
    found = value.get(outer)
    return found.get(inner) if isinstance(found, dict) else None


def _of_stream(stream: Json, names: Sequence[str]) -> Iterator[Fields | str]:
    labels = stream.get("stream") if isinstance(stream, dict) else None
    values = stream.get("values") if isinstance(stream, dict) else None
    if not isinstance(labels, dict) or not isinstance(values, list):
        yield "streams set aside without labels and values"
        return
    host, severity = text_of(labels, names), severity_of(labels)
    for entry in values:
        if isinstance(entry, list) and len(entry) >= 2 and isinstance(entry[1], str):
            more = _metadata(entry[2]) if len(entry) > 2 else {}
            yield entry_fields(str(entry[0]), host, severity, entry[1], more, names)
        else:
            yield "values of a stream set aside that are not a time and a line"


def _metadata(value: Json) -> Mapping[str, Json]:
    """Return the structured metadata of an entry; answers of Loki may nest it."""
    found = value if isinstance(value, dict) else {}
    inner = found.get("structuredMetadata")
    return inner if isinstance(inner, dict) else found


def _record(value: dict[str, Json], names: Sequence[str]) -> Fields | str:
    for inner in ("_source", "labels", "fields", "attributes"):
        if isinstance(nested := value.get(inner), dict):
            value = {**nested, **value}
    time, message = text_of(value, _TIME), text_of(value, _MESSAGE)
    if not time or not message:
        return f"records set aside without a {'message' if time else 'time'}"
    return line_fields(time, text_of(value, names), severity_of(value), message)
