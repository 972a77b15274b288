"""Column names of monitoring tools, compared without case, spaces and punctuation (:func:`key_of`)."""

from collections.abc import Iterable, Sequence

TIMES = (
    *(
        "timestamp",
        "time",
        "ts",
        "datetime",
        "date_time",
        "_time",
        "@timestamp",
        "clock",
        "time_utc",
        "timestamp_utc",
    ),
    *(
        "utc_time",
        "timegenerated",
        "timegenerated [utc]",
        "event_time",
        "collected_at",
        "sampled_at",
        "recorded_at",
    ),
    *("measured_at", "sample_time", "time_stamp", "timestamp_ms", "epoch", "unixtime", "unix_time", "date"),
)
DEVICES = (
    *(
        "device",
        "node",
        "host",
        "hostname",
        "host_name",
        "instance",
        "sysname",
        "machine",
        "machine_id",
        "machine_name",
    ),
    *(
        "server",
        "server_name",
        "router",
        "switch",
        "computer",
        "computer_name",
        "cmdb_id",
        "agent_host",
        "device_name",
    ),
    *("device_id", "node_name", "host_id", "instance_id", "resource", "resource_id", "ip", "ip_address", "target"),
    *("source", "*_id"),
)
#: Names that are the device only if they vary and no better one does: they often mean something else.
WEAK_DEVICES = ("ip", "target", "source", "*_id")
#: Names of the date and of the time of day, if a time is in two columns.
DATES = ("date", "day", "datum")
CLOCKS = ("time", "clock", "time_of_day", "hour", "zeit")
#: Long form: names that show that there is one row per metric …
METRIC_NAMES = (
    "metric_name",
    "kpi_name",
    "_field",
    "counter_name",
    "metric",
    "kpi",
    "series",
    "itemid",
    "item_name",
)
#: … and names that show it only if rows share device and time.
WEAK_METRIC_NAMES = (
    "name",
    "counter",
    "parameter",
    "indicator",
    "item",
    "key_",
    "key",
    "parameter_name",
    "param",
    "sensor",
    "sensor_name",
    "measurement",
    "field",
)
VALUES = (
    *("value", "_value", "metric_value", "kpi_value", "counter_value", "val", "reading", "average", "avg", "mean"),
    *("total", "sum", "maximum", "max"),
)


def key_of(name: str) -> str:
    """Reduce a name to its letters and digits, so that 'Host Name', 'host_name' and '# hostname' are equal."""
    return "".join(char for char in name.casefold() if char.isalnum()) or name.strip().casefold()


def columns_of(wanted: str, names: Sequence[str]) -> tuple[str, ...] | None:
    """Find the columns that ``a``, or ``a+b`` for several together, refers to; None if one is missing."""
    if (whole := first_of(names, [wanted])) is not None:
        return (whole,)
    if "+" not in wanted:
        return None
    found = [first_of(names, [part.strip()]) for part in wanted.split("+")]
    return None if None in found else tuple(name for name in found if name is not None)


def first_of(names: Iterable[str], wanted: Iterable[str]) -> str | None:
    """Find the first wanted name among the existing names: exactly, else without case, spaces and punctuation."""
    names = list(names)
    for name in wanted:
        if name in names:
            return name
        if found := next((known for known in names if known.strip().lower() == name.strip().lower()), None):
            return found
        if found := next((known for known in names if key_of(known) == key_of(name)), None):
            return found
    return None
