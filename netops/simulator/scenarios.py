"""The scenario library: events of a device, and their settings.

Failures end in a critical failure of the device (``is_error``); look-alikes (benign events) disturb metrics, too;
drift changes the network permanently.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from netops.config.binding import Duration, bind, keys_in, option
from netops.config.durations import DAY, HOUR, MINUTE
from netops.errors import UsageError, closest


@dataclass(frozen=True)
class Failure:
    """A scenario that ends in a critical failure; preceded by the precursor."""

    weight: float = option(1.0, help="fraction of the device's failures, relative to the other failures", minimum=0)
    duration: Duration | None = option(
        None, help="length of precursor and failure together; default: errors.length_in_ticks"
    )
    spread: float = option(0.0, help="relative standard deviation of the duration", minimum=0, maximum=1)
    failure: float = option(
        0.5, help="fraction of the duration in which a metric is in error", minimum=0, maximum=1
    )
    jitter: float = option(0.1, help="standard deviation of that fraction between metrics", minimum=0, maximum=0.5)
    metrics: tuple[str, ...] = option(
        (), help="affected metrics, in the order in which they are drawn; default: all"
    )
    stagger: float = option(0.0, help="fraction of the duration between two metrics' entries", minimum=0, maximum=1)
    depth: float = option(
        0.6, help="how far towards its limit a metric is at the end of the precursor", minimum=0, maximum=1
    )
    growth: float = option(1.5, help="power of the approach: 1 straight, above 1 late", minimum=0.1, maximum=20)
    variation: float = option(0.2, help="relative standard deviation of the depth", minimum=0, maximum=1)


@dataclass(frozen=True)
class Cascade(Failure):
    """Metrics enter one after the other; each jumps to its limit occasionally, then stays there."""

    stagger: float = option(0.1, help="fraction of the duration between two metrics' entries", minimum=0, maximum=1)
    depth: float = option(
        0.0, help="how far towards its limit a metric is at the end of the precursor", minimum=0, maximum=1
    )
    peaks: float = option(4.0, help="mean number of jumps of a metric in its precursor", minimum=0)
    height: float = option(1.0, help="how far towards the limit a jump goes", minimum=0, maximum=1)


@dataclass(frozen=True)
class Degradation(Failure):
    """A slow approach of all metrics to their limits."""


@dataclass(frozen=True)
class MemoryLeak(Failure):
    """The first metric rises to its limit; the others follow at the end of the precursor."""

    tail: float = option(
        0.2, help="fraction of the precursor in which the other metrics follow", minimum=0.01, maximum=1
    )
    growth: float = option(1.0, help="power of the approach: 1 straight, above 1 late", minimum=0.1, maximum=20)


@dataclass(frozen=True)
class Flapping(Failure):
    """The metrics drop and recover repeatedly, for increasing durations."""

    period: Duration = option(MINUTE, help="time from one drop to the next")


@dataclass(frozen=True)
class Congestion(Failure):
    """An approach that follows the traffic; starts when the daily rhythm is high."""


@dataclass(frozen=True)
class SiteOutage(Failure):
    """All devices of a site fail, beginning at the uplinks, along the topology; weight is per device."""


@dataclass(frozen=True)
class SensorFault:
    """The values of a device are missing or frozen; the device is healthy."""

    weight: float = option(1.0, help="fraction of the look-alikes", minimum=0)
    duration: Duration = option(10 * MINUTE, help="length")
    spread: float = option(0.3, help="relative standard deviation of the duration", minimum=0, maximum=1)
    metrics: tuple[str, ...] = option((), help="affected metrics; default: all")
    frozen: float = option(
        0.5,
        help="fraction of the faults that freeze values; in the others, values are missing",
        minimum=0,
        maximum=1,
    )


@dataclass(frozen=True)
class Maintenance:
    """Maintenance of a device: metrics shift and return abruptly."""

    weight: float = option(1.0, help="fraction of the look-alikes", minimum=0)
    duration: Duration = option(20 * MINUTE, help="length")
    spread: float = option(0.3, help="relative standard deviation of the duration", minimum=0, maximum=1)
    effects: dict[str, float] = option(
        dict, help="metric: how far towards its maximum (above 0) or minimum (below 0)", minimum=-1, maximum=1
    )
    ramp: float = option(
        0.05, help="fraction of the duration for the transitions at start and end", minimum=0, maximum=0.5
    )
    variation: float = option(0.2, help="relative standard deviation of the effects", minimum=0, maximum=1)


@dataclass(frozen=True)
class TrafficPeak:
    """A temporary traffic peak, which the metrics follow."""

    weight: float = option(1.0, help="fraction of the look-alikes", minimum=0)
    duration: Duration = option(30 * MINUTE, help="length")
    spread: float = option(0.3, help="relative standard deviation of the duration", minimum=0, maximum=1)
    height: float = option(0.8, help="additional traffic, as a multiple of the usual traffic", minimum=0)
    variation: float = option(0.3, help="relative standard deviation of the height", minimum=0, maximum=1)


@dataclass(frozen=True)
class TrafficGrowth:
    """The traffic of all devices grows day by day."""

    after: Duration | None = option(None, help="time from the origin to its start; default: immediately")
    per_day: float = option(0.02, help="growth per day, as a fraction of the initial traffic", minimum=-1)


@dataclass(frozen=True)
class FirmwareChange:
    """Some devices step to another level or variance."""

    after: Duration = option(DAY, help="time from the origin to the first device's step")
    rollout: Duration = option(HOUR, help="time from the first device's step to the last")
    share: float = option(0.5, help="fraction of the devices", minimum=0, maximum=1)
    shift: dict[str, float] = option(dict, help="metric: step of its level, in its own unit")
    scale: dict[str, float] = option(dict, help="metric: factor of its deviation", minimum=0)


@dataclass(frozen=True)
class NewDeviceClass:
    """Devices of another type are added at some time; before that they do not exist."""

    after: Duration = option(DAY, help="time from the origin to their first sample")
    share: float = option(0.1, help="fraction of the devices", minimum=0, maximum=1)
    shift: dict[str, float] = option(dict, help="metric: difference of its level, in its own unit")
    scale: dict[str, float] = option(dict, help="metric: factor of its deviation", minimum=0)


Scenario = Failure | SensorFault | Maintenance | TrafficPeak | TrafficGrowth | FirmwareChange | NewDeviceClass
LOOKALIKES = (SensorFault, Maintenance, TrafficPeak)

KINDS: dict[str, type[Scenario]] = {
    "cascade": Cascade,
    "degradation": Degradation,
    "memory_leak": MemoryLeak,
    "flapping": Flapping,
    "congestion": Congestion,
    "site_outage": SiteOutage,
    "sensor_fault": SensorFault,
    "maintenance": Maintenance,
    "traffic_peak": TrafficPeak,
    "traffic_growth": TrafficGrowth,
    "firmware_change": FirmwareChange,
    "new_device_class": NewDeviceClass,
}


Kind = TypeVar("Kind")


def bind_kind(kinds: Mapping[str, type[Kind]], values: object, where: str, default: str | None = None) -> Kind:
    """Bind a section whose ``kind`` determines its keys.

    Raises
    ------
    UsageError
        For an unknown kind, key or value.
    """
    rest = dict(keys_in(values, where))
    kind = rest.pop("kind", default)
    if not isinstance(kind, str) or kind not in kinds:
        raise UsageError(f"{where}: unknown kind '{kind}'{closest(str(kind), kinds)}")
    return bind(kinds[kind], rest, where)


def bind_scenarios(values: object, metrics: Iterable[str], where: str) -> dict[str, Scenario]:
    """Read the ``scenarios`` section; a scenario's kind is its name by default.

    Raises
    ------
    UsageError
        For an unknown kind, key, value or metric.
    """
    if not isinstance(values, Mapping):
        raise UsageError(f"{where}: expected scenarios by name, found {values!r}")
    bound: dict[str, Scenario] = {}
    for name, section in values.items():
        bound[str(name)] = bind_kind(KINDS, section, f"{where}: {name}", str(name))
        for key in ("metrics", "effects", "shift", "scale"):
            _check_metrics(getattr(bound[str(name)], key, ()), metrics, f"{where}: {name}: {key}")
    return bound


def _check_metrics(named: Iterable[str], metrics: Iterable[str], where: str) -> None:
    for name in named:
        if name not in metrics:
            raise UsageError(f"{where}: unknown metric '{name}'{closest(name, metrics)}")
