"""The ``telemetry:`` section: which columns are what in telemetry of one's own."""

import re
from dataclasses import dataclass

from netops.configuration import Duration, option
from netops.durations import DAY, SECOND
from netops.errors import UsageError, closest
from netops.telemetry.incident_logs.settings import IncidentLogSettings

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
    label: str = option("", help="PromQL that is above 0 while a device fails; without it the incidents tell")
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
        ("timestamp", "time", "ts"), help="names of the time column, any case; the first found counts"
    )
    device: tuple[str, ...] = option(
        ("device", "node", "host", "instance"),
        help="names of the device column, any case; the first found counts, else one file is one device",
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
