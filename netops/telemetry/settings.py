"""The ``telemetry:`` section: which columns are what in telemetry of one's own."""

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

#: In place of globs: find the counters by how they move.
AUTO = "auto"
#: In place of where feedback lies: none counts.
IGNORE = "ignore"
#: What may go to a sink.
TELEMETRY, FEATURES, RISKS = "telemetry", "features", "risks"
SENT = (TELEMETRY, FEATURES, RISKS)


@dataclass(frozen=True)
class PrometheusSettings:
    """What is asked of a Prometheus that serves as source."""

    metrics: dict[str, str] = option(dict, help="metric → PromQL that gives one series a device")
    device: str = option("instance", help="label that names the device")
    label: str = option("", help="PromQL that is above 0 while a device fails; without it, the incidents say when")
    step: Duration = option(15 * SECOND, help="time between two samples", unit="duration")
    history: Duration = option(DAY, help="how far back, where the address names no start", unit="duration")
    staleness: Duration | None = option(
        None,
        help="how long the last value of a series counts; without it Prometheus' own 5m, less where it saw the end",
        unit="duration",
    )
    timeout: Duration = option(60 * SECOND, help="how long one answer may take", unit="duration")


_ACTIONS = ("refuse", "warn", "off")


@dataclass(frozen=True)
class CheckSettings:
    """What happens to telemetry that looks wrong, before anything is learned from it."""

    schema: str = option("warn", help="metrics that are missing or new, or hardly ever known", choices=_ACTIONS)
    ranges: str = option("warn", help="values outside of `bounds`, infinite values", choices=_ACTIONS)
    time_order: str = option("warn", help="rows out of order or twice, clocks that are off", choices=_ACTIONS)
    gaps: str = option("warn", help="devices that are silent for a good part of the time", choices=_ACTIONS)
    duplicate_devices: str = option("warn", help="two names that look like one device", choices=_ACTIONS)
    label_delay: str = option("warn", help="a log that ends early, or is in another time zone", choices=_ACTIONS)
    leakage: str = option(
        "warn", help="labels in disguise, metrics that predict too well, incidents by the clock", choices=_ACTIONS
    )
    bounds: dict[str, tuple[float, ...]] = option(dict, help="metric (glob) → least and greatest value")
    min_known: float = option(
        0.5, help="share of the samples for which a metric should be known", minimum=0.0, maximum=1.0
    )
    gap_intervals: float = option(10.0, help="a step of more median intervals than this is a gap", minimum=1.0)
    max_gap_share: float = option(
        0.2, help="share of its time that a device may be in gaps", minimum=0.0, maximum=1.0
    )
    too_good: float = option(
        0.995, help="ROC AUC from which a metric alone predicts too well", minimum=0.5, maximum=1.0
    )


@dataclass(frozen=True)
class SinkSettings:
    """Where rows go to beside the artifacts of the run that made them, below ``<network>/<what>``."""

    to: str = option(
        "",
        help="folder (Parquet; a relative one counts from NETOPS_HOME), or v3io://…?backend=tsdb, kv or stream",
    )
    what: tuple[str, ...] = option(SENT, help="which of telemetry, features and risks go there")

    def __post_init__(self) -> None:
        for kind in self.what:
            if kind not in SENT:
                raise UsageError(f"telemetry.yaml: sink: what: '{kind}'{closest(kind, SENT)}")
        scheme = re.match(r"([a-z0-9+.-]+)://", self.to)
        if scheme and scheme[1] != "v3io":
            raise UsageError(f"telemetry.yaml: sink: to: '{self.to}': name a folder, or an address with v3io://")


@dataclass(frozen=True)
class TelemetrySettings:
    """How files, and other sources, become samples."""

    time: tuple[str, ...] = option(
        ("timestamp", "time", "ts"),
        help="names of the time column, any case; the first found counts, `date+time` is two columns; behind these "
        "defaults follow the names that monitoring tools use",
    )
    time_format: str = option(
        "",
        help="how times are written: a strptime format, or `s`, `ms`, `us`, `ns`, `excel`; empty: found",
    )
    timezone: str = option("", help="zone of times that name none, such as Europe/Berlin; empty is UTC")
    device: tuple[str, ...] = option(
        ("device", "node", "host", "instance"),
        help="names of the device column, any case; the first found counts, `host+interface` is several columns "
        "together, else one file is one device; behind these defaults follow the names that monitoring tools use",
    )
    metric_name: str = option(
        "", help="one row a metric: the column that names it, several joined by +; empty: found where it is clear"
    )
    value: str = option("", help="one row a metric: the column of its values; empty: found")
    items: str = option(
        "", help="file (CSV) that says what the ids of metrics mean: itemid, host, name, as for Zabbix' history"
    )
    nulls: tuple[str, ...] = option(
        (), help="words for values that are not known, beside NA, NaN, null and the like"
    )
    decimal: str = option("", help="decimal sign of numbers in text; empty: found", choices=("", ".", ","))
    encoding: str = option(
        "", help="encoding of text files, such as cp1252; empty is UTF-8, or UTF-16 where it shows"
    )
    subfolders: bool = option(False, help="whether a folder stands for what is in its subfolders, too")
    max_conflicts: float = option(
        0.01,
        help="fraction of the rows that may have device and time of another row but other values; the first counts",
        minimum=0.0,
        maximum=1.0,
    )
    label: tuple[str, ...] = option(
        ("is_error", "label"), help="names of the column that is 1 while the device fails; the first found counts"
    )
    metrics: tuple[str, ...] = option(("*",), help="globs of the columns that are metrics")
    exclude: tuple[str, ...] = option((), help="globs of columns that are not, whatever `metrics` says")
    attributes: tuple[str, ...] = option(
        (), help="globs of numeric columns that describe the device; text columns that stay the same always do"
    )
    counters: tuple[str, ...] = option(
        (AUTO,),
        help="globs of metrics that only ever count up and become rates per second; `auto` finds them, [] is none",
    )
    min_device_share: float = option(
        0.2, help="a metric known for a smaller share of the devices is left out", minimum=0.0, maximum=1.0
    )
    feedback: str | None = option(
        None,
        help="what people said of alerts and incidents: a file that `netops alerts export` wrote, the address of a "
        "server, or `ignore`; without it what is kept of the network on this machine",
    )
    incidents: IncidentLogSettings = option(
        IncidentLogSettings, help="what the columns of `--incidents` are called"
    )
    prometheus: PrometheusSettings = option(PrometheusSettings, help="what is asked of a Prometheus")
    sink: SinkSettings = option(SinkSettings, help="where telemetry, features and risks go to beside the run")
    checks: CheckSettings = option(CheckSettings, help="what happens to telemetry that looks wrong")

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
        """Names of the time column: those that are configured, behind the defaults also the usual ones."""
        return (*self.time, *TIMES) if set(self.time) >= {"timestamp", "time", "ts"} else self.time

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the device column: those that are configured, behind the defaults also the usual ones."""
        return (*self.device, *DEVICES) if self.has_default_devices else self.device

    @property
    def has_default_devices(self) -> bool:
        """Whether nobody named the device column."""
        return set(self.device) >= {"device", "node", "host", "instance"}
