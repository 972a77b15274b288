"""Settings of the simulator: the metrics YAML, bound and validated."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netops.config.binding import Duration, bind, keys_in, option, read_yaml
from netops.config.durations import MINUTE, SECOND
from netops.errors import UsageError
from netops.json_types import JsonDict
from netops.simulator.scenarios import Cascade, Scenario, bind_kind, bind_scenarios
from netops.telemetry.schema import DEVICE, IS_ERROR, TIMESTAMP, is_error_column


@dataclass(frozen=True)
class ErrorSettings:
    """How often devices fail."""

    rate_in_ticks: float | None = option(None, help="mean number of healthy ticks before a failure", minimum=1)
    length_in_ticks: int = option(
        50, help="ticks that a scenario without duration takes", minimum=1, maximum=50_000
    )
    every: Duration | None = option(None, help="mean healthy time before a failure, instead of rate_in_ticks")


@dataclass(frozen=True)
class LookalikeSettings:
    """How often benign events happen to a device."""

    every: Duration | None = option(
        None, help="mean time between two look-alikes (benign events) of a device; default: none"
    )


@dataclass(frozen=True)
class TimestampSettings:
    """When samples are taken."""

    interval: Duration = option(5 * SECOND, help="time between two samples of a device")
    stochastic_interval: bool = option(False, help="vary the time between two samples by up to half of it")


@dataclass(frozen=True)
class LevelSettings:
    """One level of the deployment."""

    num_items: int | None = option(None, help="items in each item of the level above", minimum=1)
    faker: str | None = option(None, help="Faker provider that names them")
    names: tuple[str, ...] = option((), help="their names, instead of a provider")
    pattern: str | None = option(None, help="pattern of their names, with {number} and the levels above")


@dataclass(frozen=True)
class RangeStatic:
    """A static numeric attribute of a device."""

    max_range: float = option(help="upper bound")
    min_range: float = option(0.0, help="lower bound")
    as_integer: bool = option(False, help="integers, without the upper bound")


@dataclass(frozen=True)
class ChoiceStatic:
    """A static attribute from a list of values."""

    choices: tuple[object, ...] = option(help="the values")


@dataclass(frozen=True)
class Bounds:
    """The minimum and the maximum."""

    min: float | None = option(None, help="minimum")
    max: float | None = option(None, help="maximum")
    validate: bool = option(False, help="clip values to the bounds")


@dataclass(frozen=True)
class Validation:
    """Bounds of the drawn value and of the metric; failures move the metric to its bounds."""

    distribution: Bounds = option(Bounds, help="bounds of a drawn value")
    metric: Bounds = option(Bounds, help="bounds of the metric")


@dataclass(frozen=True)
class NormalParams:
    """A normal distribution."""

    mu: float = option(0.0, help="mean")
    sigma: float = option(0.5, help="standard deviation", minimum=0)
    noise: float = option(0.0, help="standard deviation of noise that is added", minimum=0)


@dataclass(frozen=True)
class PoissonParams:
    """A Poisson distribution."""

    lam: float = option(2.0, help="mean", minimum=0, maximum=1e6)
    noise: float = option(0.0, help="standard deviation of noise that is added", minimum=0)


DISTRIBUTIONS: dict[str, type[NormalParams | PoissonParams]] = {"normal": NormalParams, "poisson": PoissonParams}


@dataclass(frozen=True)
class MetricSettings:
    """One metric."""

    accuracy: int | None = option(None, help="decimals; default: not rounded", minimum=0, maximum=15)
    distribution: str = option("normal", help="distribution of the metric", choices=tuple(DISTRIBUTIONS))
    distribution_params: NormalParams | PoissonParams | None = option(
        None, help="mu, sigma (normal) or lam (poisson), and noise", by_kind=True
    )
    is_threshold_below: bool = option(True, help="failures move it to the maximum; false: to the minimum")
    past_based_value: bool = option(False, help="the drawn value is added to the previous value (random walk)")
    produce_max: bool = option(False, help="also produce <metric>_max, the highest value between two samples")
    produce_min: bool = option(False, help="also produce <metric>_min, the lowest value between two samples")
    validation: Validation = option(Validation, help="bounds")
    level: float = option(0.0, help="standard deviation of the devices' own levels", minimum=0)
    traffic: float = option(0.0, help="change of the metric when the usual traffic doubles")
    smoothness: float = option(
        0.0, help="fraction of the variance that lasts for correlation_time", minimum=0, maximum=1
    )
    correlation_time: Duration = option(MINUTE, help="how long a smooth deviation lasts")

    @property
    def params(self) -> NormalParams | PoissonParams:
        """Parameters of the distribution, bound."""
        return self.distribution_params or DISTRIBUTIONS[self.distribution]()


@dataclass(frozen=True)
class TrafficSettings:
    """The traffic of a device, which its metrics follow; 1 is usual."""

    level: float = option(0.0, help="relative standard deviation of the devices' own traffic", minimum=0, maximum=1)
    daily: float = option(0.0, help="height of the daily rhythm", minimum=0, maximum=1)
    stagger: bool = option(True, help="sites have their daily peaks at different times")
    noise: float = option(0.0, help="relative standard deviation of slow variation", minimum=0, maximum=1)
    correlation_time: Duration = option(20 * MINUTE, help="how long a slow variation lasts")


@dataclass(frozen=True)
class TopologySettings:
    """How the devices of a site are connected, for outages of the site."""

    uplinks: int = option(2, help="devices of a site that are connected to the outside", minimum=1)
    fan_out: int = option(8, help="devices behind one device", minimum=1)
    hop_delay: Duration = option(20 * SECOND, help="time in which an outage spreads by one device")


@dataclass(frozen=True)
class FaultSettings:
    """Faults between a device and the collector."""

    missing: float = option(0.0, help="fraction of the samples that do not arrive", minimum=0, maximum=0.9)
    jitter: float = option(0.0, help="clock error, at most this fraction of the interval", minimum=0, maximum=0.2)
    duplicates: float = option(0.0, help="fraction of the samples that arrive twice", minimum=0, maximum=1)
    late: float = option(0.0, help="fraction of the samples that arrive late", minimum=0, maximum=1)
    late_by: Duration = option(MINUTE, help="longest delay of a late sample")


def _default_deployment() -> dict[str, LevelSettings]:
    return {
        "company": LevelSettings(num_items=4, faker="company"),
        "data_center": LevelSettings(num_items=2, faker="city"),
        "device": LevelSettings(num_items=15, faker="msisdn"),
    }


@dataclass(frozen=True)
class GeneratorSettings:
    """The metrics YAML."""

    metrics: dict[str, MetricSettings] = option(help="the metrics, by name")
    errors: ErrorSettings = option(ErrorSettings, help="how often devices fail")
    lookalikes: LookalikeSettings = option(LookalikeSettings, help="how often look-alikes happen")
    timestamps: TimestampSettings = option(TimestampSettings, help="when samples are taken")
    deployment: dict[str, LevelSettings] = option(_default_deployment, help="levels, the last is the device")
    static: dict[str, RangeStatic | ChoiceStatic] = option(dict, help="static attributes of a device", by_kind=True)
    traffic: TrafficSettings = option(TrafficSettings, help="the traffic that metrics follow")
    topology: TopologySettings = option(TopologySettings, help="topology of a site")
    scenarios: dict[str, Scenario] = option(
        lambda: {"cascade": Cascade()}, help="scenarios of a device, by name", by_kind=True
    )
    faults: FaultSettings = option(FaultSettings, help="faults between a device and the collector")

    @classmethod
    def from_yaml(cls, source: Path | str | Mapping[str, object]) -> "GeneratorSettings":
        """Read a metrics YAML.

        Parameters
        ----------
        source : path or mapping
            The file, or its contents.

        Raises
        ------
        UsageError
            For a missing file, an unknown key, an invalid value.
        """
        if isinstance(source, Mapping):
            return _settings(source, "metrics configuration")
        return _settings(read_yaml(Path(source)), str(source))

    def to_dict(self) -> JsonDict:
        """Return all settings as plain values; with kinds where they are required."""
        plain = dataclasses.asdict(self)
        for name, scenario in self.scenarios.items():
            plain["scenarios"][name]["kind"] = type(scenario).__name__
        return plain

    @property
    def columns(self) -> tuple[str, ...]:
        """The metric columns: each metric, with its maximum and minimum where these are produced."""
        return tuple(name for metric in self.metrics for name in self._columns_of(metric))

    def _columns_of(self, metric: str) -> list[str]:
        wanted = (True, self.metrics[metric].produce_max, self.metrics[metric].produce_min)
        return [metric + end for end, on in zip(("", "_max", "_min"), wanted, strict=True) if on]


def _settings(values: object, where: str) -> GeneratorSettings:
    bound = bind(GeneratorSettings, values, where)
    if not bound.metrics or not bound.deployment:
        raise UsageError(f"{where}: {'deployment' if bound.metrics else 'metrics'}: at least one is required")
    for name, metric in bound.metrics.items():
        _check_metric(metric, f"{where}: metrics: {name}")
    bound = dataclasses.replace(
        bound,
        metrics={name: _with_params(metric, f"{where}: metrics: {name}") for name, metric in bound.metrics.items()},
        static=_statics(bound.static, f"{where}: static"),
        scenarios=_scenarios(bound, f"{where}: scenarios"),
    )
    _check_levels(bound.deployment, f"{where}: deployment")
    _check_errors(bound.errors, f"{where}: errors")
    _check_names(bound, where)
    return bound


def _scenarios(bound: GeneratorSettings, where: str) -> dict[str, Scenario]:
    if isinstance(bound.scenarios, Mapping) and all(map(dataclasses.is_dataclass, bound.scenarios.values())):
        return bound.scenarios
    return bind_scenarios(bound.scenarios, bound.metrics, where)


def _with_params(metric: MetricSettings, where: str) -> MetricSettings:
    kind: type[NormalParams | PoissonParams] = DISTRIBUTIONS[metric.distribution]
    params = bind(kind, metric.distribution_params, f"{where}: distribution_params")
    return dataclasses.replace(metric, distribution_params=params)


def _statics(raw: object, where: str) -> dict[str, RangeStatic | ChoiceStatic]:
    kinds: dict[str, type[RangeStatic | ChoiceStatic]] = {"range": RangeStatic, "choice": ChoiceStatic}
    bound = {
        str(name): bind_kind(kinds, section, f"{where}: {name}") for name, section in keys_in(raw, where).items()
    }
    for name, static in bound.items():
        if isinstance(static, ChoiceStatic) and not static.choices:
            raise UsageError(f"{where}: {name}: choices: at least one is required")
        if isinstance(static, RangeStatic) and not static.max_range > static.min_range:
            raise UsageError(f"{where}: {name}: max_range {static.max_range} is not above {static.min_range}")
    return bound


def _check_metric(metric: MetricSettings, where: str) -> None:
    for part, bounds in (("distribution", metric.validation.distribution), ("metric", metric.validation.metric)):
        if bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
            raise UsageError(f"{where}: validation: {part}: min {bounds.min} is above max {bounds.max}")


def _check_levels(levels: Mapping[str, LevelSettings], where: str) -> None:
    for name, level in levels.items():
        ways = [key for key in ("faker", "names", "pattern") if getattr(level, key)]
        if len(ways) > 1:
            raise UsageError(
                f"{where}: {name}: {ways[0]} and {ways[1]} both define the names of the items; keep one"
            )
        if level.names and level.num_items not in (None, len(level.names)):
            raise UsageError(
                f"{where}: {name}: num_items is {level.num_items}, but there are {len(level.names)} names"
            )


def _check_errors(errors: ErrorSettings, where: str) -> None:
    if errors.every is not None and errors.rate_in_ticks is not None:
        raise UsageError(f"{where}: every and rate_in_ticks are alternatives; keep one")


def _check_names(settings: GeneratorSettings, where: str) -> None:
    *levels, _device = settings.deployment
    taken = [TIMESTAMP, DEVICE, IS_ERROR, *levels, *settings.static, *settings.columns]
    for name in taken:
        if taken.count(name) > 1:
            raise UsageError(f"{where}: two columns would be named '{name}'; rename one")
    for name in (*levels, *settings.static, *settings.columns):
        if is_error_column(name):
            raise UsageError(f"{where}: '{name}' ends in _is_error, which is reserved for ground truth; rename it")
