"""The ``telemetry:`` section: roles of the columns of telemetry."""

import codecs
import re
from dataclasses import dataclass

from netops.config.binding import Duration, option
from netops.config.durations import DAY, SECOND
from netops.errors import UsageError, closest
from netops.telemetry.columns.known_names import DEVICES, TIMES
from netops.telemetry.incident_logs.settings import IncidentLogSettings
from netops.telemetry.times.reader import TimeReader
from netops.telemetry.times.zones import check_zone

#: Instead of globs: detect counters from their values.
AUTO = "auto"
#: Instead of a feedback address: ignore feedback.
IGNORE = "ignore"
#: Kinds of rows that may be written to a sink.
TELEMETRY, FEATURES, RISKS = "telemetry", "features", "risks"
SENT = (TELEMETRY, FEATURES, RISKS)


@dataclass(frozen=True)
class PrometheusSettings:
    """Queries to a Prometheus server that is a telemetry source."""

    metrics: dict[str, str] = option(dict, help="metric → PromQL that gives one series per device")
    device: str = option("instance", help="label with the name of the device")
    label: str = option("", help="PromQL that is above 0 while a device fails; default: only the incidents")
    step: Duration = option(15 * SECOND, help="time between two samples", unit="duration")
    history: Duration = option(DAY, help="how far back to query, if the address has no start", unit="duration")
    staleness: Duration | None = option(
        None,
        help="how long the last value of a series is valid; default: Prometheus' own staleness rule (5m)",
        unit="duration",
    )
    timeout: Duration = option(60 * SECOND, help="timeout of one query", unit="duration")


_ACTIONS = ("refuse", "warn", "off")


@dataclass(frozen=True)
class CheckSettings:
    """Action of each check of the telemetry before training."""

    schema: str = option("warn", help="metrics that are missing, new, or mostly unknown", choices=_ACTIONS)
    ranges: str = option("warn", help="values outside of `bounds`, infinite values", choices=_ACTIONS)
    time_order: str = option("warn", help="rows out of order, duplicate rows, wrong clocks", choices=_ACTIONS)
    gaps: str = option("warn", help="devices without data for much of the time", choices=_ACTIONS)
    duplicate_devices: str = option("warn", help="two names that look like one device", choices=_ACTIONS)
    label_delay: str = option("warn", help="a log that ends early or is in another time zone", choices=_ACTIONS)
    leakage: str = option(
        "warn",
        help="copies of the label, metrics that predict too well, incidents at regular times",
        choices=_ACTIONS,
    )
    bounds: dict[str, tuple[float, ...]] = option(dict, help="metric (glob) → minimum and maximum")
    min_known: float = option(
        0.5, help="minimum fraction of samples in which a metric is known", minimum=0.0, maximum=1.0
    )
    gap_intervals: float = option(10.0, help="a step of more median intervals than this is a gap", minimum=1.0)
    max_gap_share: float = option(
        0.2, help="maximum fraction of the time of a device in gaps", minimum=0.0, maximum=1.0
    )
    too_good: float = option(
        0.995, help="ROC AUC at which a single metric predicts too well", minimum=0.5, maximum=1.0
    )


@dataclass(frozen=True)
class SinkSettings:
    """Additional destination of rows, below ``<network>/<what>``."""

    to: str = option(
        "",
        help="folder (Parquet; relative to NETOPS_HOME), or v3io://…?backend=tsdb, kv or stream",
    )
    what: tuple[str, ...] = option(SENT, help="which of telemetry, features and risks are written")

    def __post_init__(self) -> None:
        for kind in self.what:
            if kind not in SENT:
                raise UsageError(f"telemetry.yaml: sink: what: '{kind}'{closest(kind, SENT)}")
        scheme = re.match(r"([a-z0-9+.-]+)://", self.to)
        if scheme and scheme[1] != "v3io":
            raise UsageError(
                f"telemetry.yaml: sink: to: '{self.to}': expected a folder, or an address with v3io://"
            )


@dataclass(frozen=True)
class TelemetrySettings:
    """How files and other sources are read."""

    time: tuple[str, ...] = option(
        ("timestamp", "time", "ts"),
        help="names of the time column, any case; the first found is used, `date+time` is two columns; after these "
        "defaults, the names that monitoring tools use are tried",
    )
    time_format: str = option(
        "",
        help="notation of times: a strptime format, or `s`, `ms`, `us`, `ns`, `excel`; empty: detected",
    )
    timezone: str = option("", help="time zone of times without one, such as Europe/Berlin; empty: UTC")
    device: tuple[str, ...] = option(
        ("device", "node", "host", "instance"),
        help="names of the device column, any case; the first found is used, `host+interface` is several columns "
        "together, else a file is a device; after these defaults, the names that monitoring tools use are tried",
    )
    metric_name: str = option(
        "", help="one row per metric: the column of its name, several joined by +; empty: detected"
    )
    value: str = option("", help="one row per metric: the column of its values; empty: detected")
    items: str = option(
        "", help="file (CSV) that maps ids of metrics to names: itemid, host, name, as for Zabbix' history"
    )
    nulls: tuple[str, ...] = option((), help="words for unknown values, in addition to NA, NaN, null and similar")
    decimal: str = option("", help="decimal sign of numbers in text; empty: detected", choices=("", ".", ","))
    encoding: str = option("", help="encoding of text files, such as cp1252; empty: UTF-8 or UTF-16, detected")
    subfolders: bool = option(False, help="whether subfolders are read")
    max_conflicts: float = option(
        0.01,
        help="maximum fraction of rows with the device and time of another row but other values; the first is used",
        minimum=0.0,
        maximum=1.0,
    )
    label: tuple[str, ...] = option(
        ("is_error", "label"), help="names of the column that is 1 while the device fails; the first found is used"
    )
    metrics: tuple[str, ...] = option(("*",), help="globs of the columns that are metrics")
    exclude: tuple[str, ...] = option((), help="globs of columns that are not metrics, even if `metrics` matches")
    attributes: tuple[str, ...] = option(
        (), help="globs of numeric columns that describe the device, in addition to constant text columns"
    )
    counters: tuple[str, ...] = option(
        (AUTO,),
        help="globs of counters, which are converted into rates per second; `auto` detects them, [] is none",
    )
    min_device_share: float = option(
        0.2,
        help="minimum fraction of devices with a metric; metrics with less are excluded",
        minimum=0.0,
        maximum=1.0,
    )
    feedback: str | None = option(
        None,
        help="feedback on alerts and incidents: a file written by `netops alerts export`, the address of a "
        "server, or `ignore`; default: the feedback stored on this machine",
    )
    incidents: IncidentLogSettings = option(IncidentLogSettings, help="column names of `--incidents`")
    prometheus: PrometheusSettings = option(PrometheusSettings, help="queries to Prometheus")
    sink: SinkSettings = option(SinkSettings, help="additional destination of telemetry, features and risks")
    checks: CheckSettings = option(CheckSettings, help="action of each check of the telemetry")

    def __post_init__(self) -> None:
        try:
            check_zone(self.timezone)
        except ValueError as error:
            raise UsageError(f"telemetry.yaml: timezone: {error}") from None
        try:
            TimeReader(self.time_format)
        except ValueError as error:
            raise UsageError(f"telemetry.yaml: time_format: '{self.time_format}': {error}") from None
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError:
            raise UsageError(f"telemetry.yaml: encoding: unknown encoding '{self.encoding}'") from None

    @property
    def times(self) -> tuple[str, ...]:
        """Names of the time column: the configured ones; after the defaults, also the usual ones."""
        return (*self.time, *TIMES) if set(self.time) >= {"timestamp", "time", "ts"} else self.time

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the device column: the configured ones; after the defaults, also the usual ones."""
        return (*self.device, *DEVICES) if self.has_default_devices else self.device

    @property
    def has_default_devices(self) -> bool:
        """Whether the device column is not configured."""
        return set(self.device) >= {"device", "node", "host", "instance"}
