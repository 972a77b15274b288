"""The settings as arrays, in ticks, for the compiled kernels."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from netops.config.durations import DAY
from netops.errors import UsageError
from netops.simulator import scenarios as library
from netops.simulator.settings import GeneratorSettings, MetricSettings, NormalParams, PoissonParams

#: What happens to a device for a while; the other scenarios change the network permanently.
Event: TypeAlias = library.Failure | library.SensorFault | library.Maintenance | library.TrafficPeak

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Columns of the metric table.
(DRAWN, MU, SIGMA, NOISE, WALK, DRAW_MIN, DRAW_MAX, LOW, HIGH, CLAMP_MIN, CLAMP_MAX, DECIMALS, SIGN, LEVEL_SD) = (
    range(14)
)
(FOLLOW, SMOOTHNESS, CORRELATION, WITH_MAX, WITH_MIN, CDF_AT, CDF_SIZE, CDF_FIRST) = range(14, 22)
# Columns of the scenario table.
(SHAPE, TICKS, SPREAD, FAILURE, STAGGER, DEPTH, GROWTH, PEAKS, HEIGHT, PERIOD, VARIATION, TAIL, FAILING) = range(13)
(RHYTHMIC, FROZEN, EDGE, JITTER, SILENT, AFFECTED) = range(13, 19)
# Shapes of a disturbance.
(SPIKES, RAMP, FLAPS, CONGESTED, STEP, PEAK, STUCK) = range(7)
# Indices in the traffic vector.
(T_DAY, T_DAILY, T_NOISE, T_CORRELATION, T_LEVEL, T_STAGGER, T_GROWTH_AT, T_GROWTH) = range(8)

#: A scenario may take a quarter of a block of the schedule, see schedule.py.
LONGEST = 65_536


@dataclass(frozen=True)
class Group:
    """Scenarios that share one stream of events.

    Attributes
    ----------
    chance : float
        Probability that one of them starts at a tick at which none is active.
    kinds : int64 array
        Rows of the scenario table.
    weights : float64 array
        Their relative frequencies.
    """

    chance: float
    kinds: Ints
    weights: Floats


@dataclass(frozen=True)
class Tables:
    """The settings in the form that the kernels read.

    Attributes
    ----------
    metrics : float64 array, metrics × 22
    cdf : float64 array
        The distribution functions of Poisson metrics, one after the other.
    scenarios : float64 array, scenarios × 19
    order : int64 array, scenarios × metrics
        The metrics a scenario affects, in order; -1 beyond the last.
    effects : float64 array, scenarios × metrics
        For maintenance: signed effects in that order.
    traffic : float64 array
    failures, lookalikes : Group
        Events of a device.
    outages : Group
        Events of a site.
    steps : list
        Drift in steps: (kind, scenario, shift and scale per metric).
    names : list of str
        The scenarios' names, in the order of the table.
    hop : float
        Ticks that an outage takes from one device to the next.
    """

    metrics: Floats
    cdf: Floats
    scenarios: Floats
    order: Ints
    effects: Floats
    traffic: Floats
    failures: Group
    lookalikes: Group
    outages: Group
    steps: list[tuple[library.FirmwareChange | library.NewDeviceClass, Floats, Floats]]
    names: list[str]
    hop: float


def make_tables(settings: GeneratorSettings, interval: int, origin: int, silent: float = 0.0) -> Tables:
    """Convert settings into tables.

    Parameters
    ----------
    settings : GeneratorSettings
    interval : int
        Nanoseconds between two ticks.
    origin : int
        Absolute tick from which drift counts.
    silent : float
        Fraction of the failures before which metrics do not change.

    Raises
    ------
    UsageError
        If a scenario takes more ticks than can be scheduled.
    """
    metrics, cdf = _metric_table(settings, interval)
    events = {
        name: s for name, s in settings.scenarios.items() if isinstance(s, (library.Failure, *library.LOOKALIKES))
    }
    names = list(settings.metrics)
    rows = [_scenario_row(name, s, settings, interval) for name, s in events.items()]
    affected = [_affected(s, names) for s in events.values()]
    order = np.full((len(rows), len(names)), -1, np.int64)
    effects = np.zeros((len(rows), len(names)))
    for row, (scenario, indices) in enumerate(zip(events.values(), affected, strict=True)):
        rows[row][AFFECTED] = len(indices)
        order[row, : len(indices)] = indices
        if isinstance(scenario, library.Maintenance):
            effects[row, : len(indices)] = list(scenario.effects.values())
    table = np.array(rows).reshape(len(rows), AFFECTED + 1)
    table[:, SILENT] = silent
    groups = _groups(settings, list(events.values()), interval)
    return Tables(
        metrics, cdf, table, order, effects, _traffic(settings, interval, origin), *groups,
        _steps(settings), list(events), settings.topology.hop_delay / interval,
    )  # fmt: skip


def _metric_table(settings: GeneratorSettings, interval: int) -> tuple[Floats, Floats]:
    rows, parts, at = [], [np.empty(0)], 0
    for metric in settings.metrics.values():
        row = _metric_row(metric, interval)
        if isinstance(metric.params, PoissonParams):
            first, cdf = _poisson(metric.params.lam)
            row[CDF_AT], row[CDF_SIZE], row[CDF_FIRST] = at, len(cdf), first
            parts.append(cdf)
            at += len(cdf)
        rows.append(row)
    return np.array(rows), np.concatenate(parts)


def _moments(params: NormalParams | PoissonParams) -> tuple[float, float]:
    """Return mean and standard deviation."""
    if isinstance(params, PoissonParams):
        return params.lam, math.sqrt(params.lam)
    return params.mu, params.sigma


def _metric_row(metric: MetricSettings, interval: int) -> Floats:
    params, bounds, drawn = metric.params, metric.validation.metric, metric.validation.distribution
    poisson = isinstance(params, PoissonParams)
    mu, sigma = _moments(params)
    row = np.zeros(CDF_FIRST + 1)
    row[DRAWN], row[MU], row[SIGMA], row[NOISE] = poisson, mu, sigma, params.noise
    row[WALK] = metric.past_based_value
    row[DRAW_MIN], row[DRAW_MAX] = _bounds(drawn.min, drawn.max, drawn.validate)
    row[CLAMP_MIN], row[CLAMP_MAX] = _bounds(bounds.min, bounds.max, bounds.validate)
    # Target of a failure if the metric has no bounds.
    row[LOW] = mu - 6 * sigma if bounds.min is None else bounds.min
    row[HIGH] = mu + 6 * sigma if bounds.max is None else bounds.max
    row[DECIMALS] = 0.0 if metric.accuracy is None else 10.0**metric.accuracy
    row[SIGN] = 1.0 if metric.is_threshold_below else -1.0
    row[LEVEL_SD], row[FOLLOW], row[SMOOTHNESS] = metric.level, metric.traffic, metric.smoothness
    row[CORRELATION] = metric.correlation_time / interval
    row[WITH_MAX], row[WITH_MIN] = metric.produce_max, metric.produce_min
    return row


def _bounds(low: float | None, high: float | None, validate: bool) -> tuple[float, float]:
    return (
        low if validate and low is not None else -math.inf,
        high if validate and high is not None else math.inf,
    )


def _poisson(lam: float) -> tuple[int, Floats]:
    """Tabulate a Poisson distribution function where it is neither 0 nor 1."""
    reach = 10 * math.sqrt(lam) + 20
    first = max(0, math.floor(lam - reach))
    counts = np.arange(first, math.ceil(lam + reach) + 1)
    log = math.log(lam) if lam else -math.inf
    terms = [math.exp(n * log - lam - math.lgamma(n + 1)) if n else math.exp(-lam) for n in counts.tolist()]
    return first, np.cumsum(terms)


def _affected(scenario: Event, names: list[str]) -> list[int]:
    if isinstance(scenario, library.TrafficPeak):
        return []
    chosen = scenario.effects if isinstance(scenario, library.Maintenance) else scenario.metrics or names
    return [names.index(name) for name in chosen]


_SHAPES: Mapping[type, int] = {
    library.Cascade: SPIKES,
    library.Degradation: RAMP,
    library.MemoryLeak: RAMP,
    library.Flapping: FLAPS,
    library.Congestion: CONGESTED,
    library.SiteOutage: RAMP,
    library.SensorFault: STUCK,
    library.Maintenance: STEP,
    library.TrafficPeak: PEAK,
}
_COLUMNS = {
    "spread": SPREAD, "failure": FAILURE, "stagger": STAGGER, "depth": DEPTH, "growth": GROWTH, "peaks": PEAKS,
    "height": HEIGHT, "variation": VARIATION, "tail": TAIL, "frozen": FROZEN, "ramp": EDGE, "jitter": JITTER,
}  # fmt: skip


def _scenario_row(name: str, scenario: Event, settings: GeneratorSettings, interval: int) -> Floats:
    row = np.zeros(AFFECTED + 1)
    row[SHAPE] = _SHAPES[type(scenario)]
    row[TICKS] = settings.errors.length_in_ticks
    if scenario.duration is not None:
        row[TICKS] = max(1.0, scenario.duration / interval)
    if row[TICKS] * (1 + 3 * scenario.spread) > LONGEST:
        raise UsageError(
            f"scenarios: {name}: {row[TICKS]:.0f} ticks are more than {LONGEST} with their spread; "
            "shorten its duration or lengthen the interval"
        )
    for key, column in _COLUMNS.items():
        row[column] = getattr(scenario, key, 0.0)
    row[PERIOD] = max(2.0, getattr(scenario, "period", interval) / interval)
    row[FAILING] = isinstance(scenario, library.Failure)
    row[RHYTHMIC] = isinstance(scenario, library.Congestion)
    return row


def _traffic(settings: GeneratorSettings, interval: int, origin: int) -> Floats:
    traffic, growth = (
        settings.traffic,
        [s for s in settings.scenarios.values() if isinstance(s, library.TrafficGrowth)],
    )
    vector = np.zeros(T_GROWTH + 1)
    vector[T_DAY], vector[T_DAILY], vector[T_NOISE] = DAY / interval, traffic.daily, traffic.noise
    vector[T_CORRELATION], vector[T_LEVEL] = traffic.correlation_time / interval, traffic.level
    vector[T_STAGGER] = traffic.stagger
    if len(growth) > 1:
        raise UsageError("scenarios: two of kind traffic_growth; keep one")
    for scenario in growth:
        vector[T_GROWTH_AT] = origin + (scenario.after or 0) / interval
        vector[T_GROWTH] = scenario.per_day * interval / DAY
    return vector


def _steps(
    settings: GeneratorSettings,
) -> list[tuple[library.FirmwareChange | library.NewDeviceClass, Floats, Floats]]:
    names = list(settings.metrics)
    drifts = [
        s for s in settings.scenarios.values() if isinstance(s, (library.FirmwareChange, library.NewDeviceClass))
    ]
    return [
        (s, np.array([s.shift.get(n, 0.0) for n in names]), np.array([s.scale.get(n, 1.0) for n in names]))
        for s in drifts
    ]


def _groups(settings: GeneratorSettings, events: list[Event], interval: int) -> tuple[Group, Group, Group]:
    outage = [isinstance(s, library.SiteOutage) for s in events]
    failing = [isinstance(s, library.Failure) for s in events]
    every = settings.errors.rate_in_ticks
    if settings.errors.every is not None:
        every = settings.errors.every / interval
    calm = settings.lookalikes.every
    total = sum(s.weight for s, fails in zip(events, failing, strict=True) if fails)
    chance = 1.0 / max(1.0, every) / total if every and total else 0.0
    own = [i for i, fails in enumerate(failing) if fails and not outage[i]]
    site = [i for i, out in enumerate(outage) if out]
    harmless = [i for i, fails in enumerate(failing) if not fails]
    return (
        _group(own, events, chance * sum(events[i].weight for i in own)),
        _group(harmless, events, 1.0 / max(1.0, calm / interval) if calm else 0.0),
        _group(site, events, chance * sum(events[i].weight for i in site)),
    )


def _group(members: list[int], events: list[Event], chance: float) -> Group:
    weights = np.array([events[i].weight for i in members], np.float64)
    return Group(chance if weights.sum() > 0 else 0.0, np.array(members, np.int64), weights)
