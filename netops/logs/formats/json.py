"""JSON of log stores: lines, and documents that Loki and Elasticsearch answer with."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from netops.errors import NetopsError
from netops.json_types import Json
from netops.logs.formats.by_line import NOT_OF_FORMAT, TOO_LONG
from netops.logs.formats.protocol import Blocks, Entries, Fields
from netops.logs.formats.syslog import parse_rfc3164, parse_rfc5424
from netops.logs.formats.vendor import body_of
from netops.logs.severity import of_word

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
_HOST = (
    *("host", "hostname", "host.name", "host.hostname", "device", "node", "instance", "sysname", "logsource"),
    *("source_host", "agent_host", "log.source.address", "fromhost", "_HOSTNAME", "nodename", "switch", "router"),
)
_MESSAGE = ("message", "msg", "line", "log", "text", "event.original", "MESSAGE", "body", "raw")
_SEVERITY = (
    *("severity", "level", "log.level", "severity_label", "log.syslog.severity.name", "log.syslog.severity.code"),
    *("syslog.severity", "syslog_severity", "detected_level", "loglevel", "PRIORITY", "priority"),
)
_decode = msgspec.json.Decoder().decode


def json_entries(blocks: Blocks, longest: int, document: bool) -> Entries:
    """Parse JSON lines, or one document.

    Parameters
    ----------
    blocks : iterator
        Lines (see ``lines.read_lines``).
    longest : int
        Maximum length of a line.
    document : bool
        Whether all lines together are one JSON value.

    Raises
    ------
    NetopsError
        If a document is too large.
    """
    for at, text in _whole(blocks) if document else _each(blocks):
        if not document and len(text) > longest:
            yield at, TOO_LONG.format(longest), text
            continue
        try:
            records = list(records_of(_decode(text)))
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


def records_of(value: Json) -> Iterator[Fields | str]:
    """Find the messages in a JSON value: one record, a list of them, or an answer of Loki or Elasticsearch."""
    if isinstance(value, list):
        for item in value:
            yield from records_of(item)
    elif not isinstance(value, dict):
        yield "JSON values set aside that are not objects"
    elif (streams := _streams(value)) is not None:
        for stream in streams:
            yield from _of_stream(stream)
    elif isinstance(hits := _at(value, "hits", "hits"), list):
        yield from records_of(hits)
    else:
        yield _record(value)


def _streams(value: Mapping[str, Json]) -> Sequence[Json] | None:
    """Return the streams of Loki: of an answer (data.result), or of its push format (streams)."""
    for found in (value.get("streams"), _at(value, "data", "result")):
        if isinstance(found, list):
            return found
    return [value] if isinstance(value.get("stream"), dict) and isinstance(value.get("values"), list) else None


def _at(value: Mapping[str, Json], outer: str, inner: str) -> Json:
    found = value.get(outer)
    return found.get(inner) if isinstance(found, dict) else None


def _of_stream(stream: Json) -> Iterator[Fields | str]:
    labels = stream.get("stream") if isinstance(stream, dict) else None
    values = stream.get("values") if isinstance(stream, dict) else None
    if not isinstance(labels, dict) or not isinstance(values, list):
        yield "streams set aside without labels and values"
        return
    host, severity = _text(labels, _HOST), of_word(_first(labels, _SEVERITY))
    for entry in values:
        if isinstance(entry, list) and len(entry) >= 2 and isinstance(entry[1], str):
            yield _fields(str(entry[0]), host, severity, entry[1])
        else:
            yield "values of a stream set aside that are not a time and a line"


def _record(value: dict[str, Json]) -> Fields | str:
    for inner in ("_source", "labels", "fields", "attributes"):
        if isinstance(nested := value.get(inner), dict):
            value = {**nested, **value}
    time, message = _text(value, _TIME), _text(value, _MESSAGE)
    if not time or not message:
        return f"records set aside without a {'message' if time else 'time'}"
    return _fields(time, _text(value, _HOST), of_word(_first(value, _SEVERITY)), message)


def _fields(time: str, host: str, severity: int, message: str) -> Fields:
    message = message.rstrip("\r\n")
    # Collectors that follow files store whole lines, whose host is the device; that of the record is the collector.
    inner = parse_rfc5424(message) or parse_rfc3164(message)
    if isinstance(inner, Fields):
        return inner._replace(
            time=time, host=inner.host or host, severity=severity if inner.severity < 0 else inner.severity
        )
    body, own = body_of(message)
    return Fields(time, host, own if severity < 0 and own is not None else severity, body)


def _text(value: Mapping[str, Json], names: Sequence[str]) -> str:
    found = _first(value, names)
    if isinstance(found, dict):  # Elastic Common Schema: host is an object
        found = _first(found, ("name", "hostname"))
    if isinstance(found, list):
        found = found[0] if found else ""
    return "" if found is None or isinstance(found, dict | bool) else str(found)


def _first(value: Mapping[str, Json], names: Sequence[str]) -> Json:
    for name in names:
        if (found := value.get(name)) not in (None, ""):
            return found
        outer, dot, inner = name.partition(".")
        if dot and isinstance(nested := value.get(outer), dict):
            found = _first(nested, (inner,))
            if found not in (None, ""):
                return found
    return None
