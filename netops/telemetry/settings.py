"""The ``telemetry:`` section: which columns are what in telemetry of one's own."""

from dataclasses import dataclass

from netops.configuration import Duration, option
from netops.durations import DAY, SECOND

#: In place of globs: find the counters by how they move.
AUTO = "auto"


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
    prometheus: PrometheusSettings = option(PrometheusSettings, help="what is asked of a Prometheus")
