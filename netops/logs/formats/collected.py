"""Lines that a collector stored with labels: Loki streams, and records of log stores."""

from collections.abc import Mapping, Sequence

from netops.json_types import Json
from netops.logs.formats.protocol import Fields
from netops.logs.formats.syslog import parse_rfc3164, parse_rfc5424
from netops.logs.formats.vendor import body_of
from netops.logs.severity import of_word

#: Labels with the host in the streams of Loki; the first one present is used.
HOST_LABELS = ("host", "hostname", "device", "instance", "node", "nodename")
#: Further usual names of it.
_OTHER_HOSTS = (
    *("host.name", "host.hostname", "sysname", "logsource", "source_host", "agent_host", "log.source.address"),
    *("fromhost", "_HOSTNAME", "switch", "router"),
)
_SEVERITY = (
    *("severity", "level", "log.level", "severity_label", "log.syslog.severity.name", "log.syslog.severity.code"),
    *("syslog.severity", "syslog_severity", "detected_level", "loglevel", "PRIORITY", "priority"),
)


def host_names(host_labels: Sequence[str]) -> tuple[str, ...]:
    """Return the names of labels that may have the host, the given ones first."""
    return tuple(dict.fromkeys((*host_labels, *_OTHER_HOSTS)))


def entry_fields(
    time: str, host: str, severity: int, line: str, metadata: Mapping[str, Json], names: Sequence[str]
) -> Fields:
    """Return the message of an entry of a stream; its structured metadata adds what the labels do not have.

    Parameters
    ----------
    time : str
    host : str
        That of the labels; empty if they have none.
    severity : int
        That of the labels; -1 if unknown.
    line : str
    metadata : mapping
    names : sequence of str
        Names of the host.
    """
    if metadata:
        host = host or text_of(metadata, names)
        severity = severity_of(metadata) if severity < 0 else severity
    return line_fields(time, host, severity, line)


def line_fields(time: str, host: str, severity: int, line: str) -> Fields:
    """Return the message of a line and its labels; a whole line of syslog is read as such.

    Parameters
    ----------
    time, host : str
        Those of the collector.
    severity : int
        That of the labels; -1 if unknown.
    line : str
    """
    line = line.rstrip("\r\n")
    # Collectors that follow files store whole lines, whose host is the device; that of the record is the collector.
    inner = parse_rfc5424(line) or parse_rfc3164(line)
    if isinstance(inner, Fields):
        return inner._replace(
            time=time, host=inner.host or host, severity=severity if inner.severity < 0 else inner.severity
        )
    body, own = body_of(line)
    return Fields(time, host, own if severity < 0 and own is not None else severity, body)


def severity_of(labels: Mapping[str, Json]) -> int:
    """Return the severity that labels have; -1 if it is unknown."""
    return of_word(first_of(labels, _SEVERITY))


def text_of(labels: Mapping[str, Json], names: Sequence[str]) -> str:
    """Return the first of some labels that is present, as text; empty if there is none."""
    found = first_of(labels, names)
    if isinstance(found, dict):  # Elastic Common Schema: host is an object
        found = first_of(found, ("name", "hostname"))
    if isinstance(found, list):
        found = found[0] if found else ""
    return "" if found is None or isinstance(found, dict | bool) else str(found)


def first_of(labels: Mapping[str, Json], names: Sequence[str]) -> Json:
    """Return the first of some labels that is present and not empty; a dot in a name goes into a nested object."""
    for name in names:
        if (found := labels.get(name)) not in (None, ""):
            return found
        outer, dot, inner = name.partition(".")
        if dot and isinstance(nested := labels.get(outer), dict):
            found = first_of(nested, (inner,))
            if found not in (None, ""):
                return found
    return None
