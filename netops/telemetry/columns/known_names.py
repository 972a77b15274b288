"""Column names of monitoring tools, compared without case, spaces and punctuation (:func:`key_of`)."""

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
