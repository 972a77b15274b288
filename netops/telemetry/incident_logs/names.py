"""Column names of incidents in ticket and alerting systems."""

import re
from collections.abc import Iterable, Sequence

# Each list is in order of priority: the first name that exists in a log is used.
DEVICE = (
    *(
        "device",
        "device name",
        "node",
        "host",
        "hostname",
        "host name",
        "instance",
        "configuration item",
        "cmdb ci",
    ),
    *("ci name", "node name", "machine name", "device id", "monitored object", "equipment", "network element"),
    *("affected ci", "ci", "cmdb id", "machine", "machine id", "sysname", "system name", "agent host", "server"),
    *("affected host", "affected device", "affected system", "ip", "ip address", "target", "object", "asset"),
    *("service name", "service", "component", "components", "component/s", "source", "labels.instance"),
)
START = (
    *("start", "started", "start time", "started at", "starts at", "start date", "begin", "begin time", "began at"),
    *("outage start", "actual start", "from", "since", "opened", "opened at", "opened on", "created", "created at"),
    *("created on", "created date", "triggered at", "occurred", "occurred at", "occurred on", "detected at"),
    *("failure time", "datetime", "timestamp", "time", "date", "event time", "@timestamp", "clock"),
)
END = (
    *(
        "end",
        "stop",
        "ended",
        "stopped",
        "stop time",
        "end time",
        "ended at",
        "ends at",
        "end date",
        "finish",
        "finished at",
        "outage end",
    ),
    *("actual end", "to", "until", "resolved", "resolved at", "resolved on", "resolution date", "resolution time"),
    *("recovered", "recovered at", "recovery time", "restored", "restored at", "closed", "closed at", "closed on"),
)
DURATION = (
    *("duration", "duration s", "duration seconds", "duration minutes", "duration min", "duration h"),
    *("duration hours", "duration ms", "length", "outage duration", "downtime"),
)
KIND = ("scenario", "event", "kind", "type", "failure", "alertname", "labels.alertname", "category")
ID = ("id", "number", "incident number", "incident id", "issue key", "key", "ticket", "ticket id", "fingerprint")

#: Words for an unknown value.
NULLS = frozenset(
    ["", "-", "--", "n/a", "na", "nan", "nat", "none", "null", "nil", "open", "ongoing", "unresolved", "0"]
)


def plain(name: str) -> str:
    """Return a name without case, spaces and punctuation.

    >>> plain("Opened at"), plain("opened_at"), plain("openedAt")
    ('openedat', 'openedat', 'openedat')
    """
    return re.sub(r"[\W_]+", "", name).lower()


def find(names: Sequence[str], wanted: Iterable[str]) -> str | None:
    """Find the first wanted name among the columns of a log, in any notation."""
    known: dict[str, str] = {}
    for form in (plain, _inner):
        for name in names:
            known.setdefault(form(name), name)
    return next((known[plain(name)] for name in wanted if plain(name) in known), None)


# Keys in which REST interfaces wrap a value: {"cmdb_ci": {"display_value": "r01", "link": …}}.
_WRAPPERS = ("display_value", "value", "name", "summary")


def _inner(name: str) -> str:
    """Remove the outer names of a nested value: ``fields.created`` becomes ``created``."""
    parts = name.split(".")
    if len(parts) > 1 and parts[-1] in _WRAPPERS:
        del parts[-1]
    return plain(parts[-1])


def seconds_of(column: str) -> float:
    """Return the unit of a column of durations in seconds, from the column's name."""
    words = re.findall(r"[a-z]+", re.sub(r"([A-Z])", r" \1", column).lower())
    for unit, seconds in (
        ("ms", 1e-3),
        ("min", 60),
        ("minutes", 60),
        ("h", 3600),
        ("hours", 3600),
        ("days", 86400),
    ):
        if unit in words:
            return seconds
    return 1.0
