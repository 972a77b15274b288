"""A generated network: any range of its devices over any range of ticks."""

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from netops.errors import UsageError
from netops.simulator import randomness
from netops.simulator.device import (
    CAUSE,
    CRITICAL,
    END,
    PRECURSOR,
    SCENARIO,
    fill_device,
    schedule_device,
    walk_to,
)
from netops.simulator.effects import channel
from netops.simulator.fleet import Fleet, default_devices, make_fleet
from netops.simulator.randomness import derive, key_of, uniform
from netops.simulator.scenarios import NewDeviceClass
from netops.simulator.schedule import KIND, LENGTH, START
from netops.simulator.settings import GeneratorSettings
from netops.simulator.tables import T_STAGGER, Floats, Ints, Tables, make_tables

#: An absolute tick, or several.
Tick = TypeVar("Tick", int, npt.NDArray[np.int64])

Bools = npt.NDArray[np.bool_]

_GOLDEN_SHARE = 0.6180339887498949


@dataclass(frozen=True)
class Truth:
    """A failure, in ticks: scenario, start of the precursor, of the critical failure, end, first metric."""

    device: int
    scenario: str
    precursor: int
    start: int
    end: int
    cause: str


@dataclass(frozen=True)
class Block:
    """A range of devices over a range of ticks, before faults on the path to the collector.

    Attributes
    ----------
    devices : int64 array
        Their indices.
    first : int
        The first tick.
    values : float64 array, columns × devices × ticks
    errors : bool array, metrics × devices × ticks
    critical : bool array, devices × ticks
    present : int64 array
        First tick at which each device exists.
    truths : list of Truth
        The failures that overlap the block (or are close to it).
    """

    devices: Ints
    first: int
    values: Floats
    errors: Bools
    critical: Bools
    present: Ints
    truths: list[Truth]


@dataclass(frozen=True)
class Network:
    """A network over a time range.

    Attributes
    ----------
    settings : GeneratorSettings
    devices : int
        The number.
    interval, start, origin : int
        Nanoseconds: between two ticks, of the first tick, and of the time from which drift and past-based metrics
        count.
    ticks : int
        The number.
    seed : int
    silent : float
        Fraction of the failures before which metrics do not change: only logs announce them.
    """

    settings: GeneratorSettings
    devices: int
    interval: int
    start: int
    ticks: int
    seed: int
    origin: int
    fleet: Fleet = field(repr=False)
    tables: Tables = field(repr=False)
    silent: float = 0.0

    @property
    def first(self) -> int:
        """The absolute index of the first tick."""
        return self.start // self.interval

    def time_of(self, tick: Tick) -> Tick:
        """Return the time of an absolute tick."""
        return self.start + (tick - self.first) * self.interval


def make_network(
    settings: GeneratorSettings,
    *,
    devices: int | None,
    duration: int,
    interval: int | None,
    start: int,
    seed: int,
    origin: int | None = None,
    silent: float = 0.0,
) -> Network:
    """Create a network.

    Parameters
    ----------
    settings : GeneratorSettings
    devices : int or None
        Number of devices; None for that of the deployment section.
    duration : int
        Nanoseconds.
    interval : int or None
        Nanoseconds between two samples; None for that of the settings.
    start : int
        Time of the first sample, nanoseconds since the epoch.
    seed : int
    origin : int, optional
        Time from which drift and past-based metrics count; None is the start. To continue an earlier network,
        pass its origin.
    silent : float
        Fraction of the failures before which metrics do not change: only logs announce them
        (:attr:`GeneratedLogSettings.silent`). Which ones they are depends on the seed alone.

    Raises
    ------
    UsageError
        If there would be no sample.
    """
    devices = default_devices(settings) if devices is None else devices
    interval = interval or settings.timestamps.interval
    origin = start if origin is None else origin
    ticks = duration // interval
    if devices < 1 or ticks < 1:
        raise UsageError(f"{devices} devices and {ticks} samples of each: at least one of each is required")
    if origin > start:
        raise UsageError("the origin is after the start; pass the start of the first network")
    tables = make_tables(settings, interval, origin // interval, silent)
    fleet = make_fleet(settings, devices, seed)
    return Network(settings, devices, interval, start, ticks, seed, origin, fleet, tables, silent)


class Walks:
    """The sums of past-based metrics per device, so that a later time range need not begin at the origin."""

    def __init__(self) -> None:
        self._sums: dict[int, tuple[int, Floats]] = {}

    def at(self, network: Network, device: int, key: np.uint64, tick: int, steps: Floats) -> Floats:
        """Return the sums of a device before a tick."""
        known, sums = self._sums.pop(device, (-1, np.empty(0)))
        if known == tick:
            return sums
        tables = network.tables
        return walk_to(key, network.origin // network.interval, tick, tables.metrics, tables.cdf, steps)

    def keep(self, device: int, tick: int, sums: Floats) -> None:
        """Store the sums of a device before a tick."""
        self._sums[device] = (tick, sums)


def produce(network: Network, devices: Ints, first: int, ticks: int, walks: Walks | None = None) -> Block:
    """Generate a range of devices over a range of ticks.

    Parameters
    ----------
    network : Network
    devices : int64 array
        Indices of the devices.
    first : int
        Absolute index of the first tick.
    ticks : int
    walks : Walks, optional
        Passed from one time range of the same devices to the next.
    """
    settings, walks = network.settings, walks or Walks()
    values = np.empty((len(settings.columns), len(devices), ticks))
    errors = np.empty((len(settings.metrics), len(devices), ticks), np.bool_)
    critical = np.empty((len(devices), ticks), np.bool_)
    present = np.empty(len(devices), np.int64)
    truths: list[Truth] = []
    for index, device in enumerate(devices.tolist()):
        views = values[:, index], errors[:, index], critical[index]
        present[index], found = _produce_device(network, device, first, ticks, views, walks)
        truths += found
    return Block(devices, first, values, errors, critical, present, truths)


def _produce_device(
    network: Network, device: int, first: int, ticks: int, views: tuple[Floats, Bools, Bools], walks: Walks
) -> tuple[int, list[Truth]]:
    tables, site = network.tables, int(network.fleet.sites[device])
    key = key_of(network.seed, randomness.DEVICE, device)
    phase = _phase(tables, site)
    failures, calm = _schedule(network, device, first, first + ticks)
    present, steps = _steps(network, key)
    sums = walks.at(network, device, key, first, steps)
    found = fill_device(
        key, first, phase, tables.metrics, tables.cdf, tables.scenarios, tables.order, tables.effects,
        tables.traffic, failures, np.uint64(derive(key, randomness.EVENTS)), calm, steps,
        network.origin // network.interval, sums, *views,
    )  # fmt: skip
    walks.keep(device, first + ticks, sums)
    return present, [_truth(network, device, row) for row in found]


def benign_events(network: Network, device: int) -> list[tuple[str, int, int]]:
    """List the benign events of a device: the scenario, its start and its end in nanoseconds."""
    calm = _schedule(network, device, network.first, network.first + network.ticks)[1]
    return [
        (
            network.tables.names[int(row[KIND])],
            network.time_of(int(row[START])),
            network.time_of(int(row[START] + row[LENGTH])),
        )
        for row in calm
    ]


def channels(network: Network, device: int) -> dict[int, float]:
    """Return what decides whether logs or metrics announce each failure of a device.

    Returns
    -------
    dict
        Start of the precursor in nanoseconds → a number in (0, 1). Metrics do not announce failures with one below
        ``network.silent``.
    """
    key = np.uint64(derive(key_of(network.seed, randomness.DEVICE, device), randomness.EVENTS))
    failures = _schedule(network, device, network.first, network.first + network.ticks)[0]
    return {network.time_of(int(row[START])): channel(key, row) for row in failures}


def _schedule(network: Network, device: int, first: int, last: int) -> tuple[Floats, Floats]:
    """Return the failures and the benign events of a device between two ticks."""
    tables, site = network.tables, int(network.fleet.sites[device])
    return schedule_device(
        key_of(network.seed, randomness.DEVICE, device), key_of(network.seed, randomness.SITE, site), first, last,
        _phase(tables, site), tables.hop, int(network.fleet.depths[device]), _chances(tables),
        tables.failures.kinds, tables.failures.weights, tables.lookalikes.kinds, tables.lookalikes.weights,
        tables.outages.kinds, tables.outages.weights, tables.scenarios, tables.traffic,
    )  # fmt: skip


def _phase(tables: Tables, site: int) -> float:
    # Steps of the golden ratio spread any number of sites over the day.
    return (site * _GOLDEN_SHARE) % 1.0 if tables.traffic[T_STAGGER] else 0.0


def _chances(tables: Tables) -> Floats:
    return np.array([tables.failures.chance, tables.lookalikes.chance, tables.outages.chance])


def _steps(network: Network, key: np.uint64) -> tuple[int, Floats]:
    """Return from which tick on a device exists, and how drift moves it: rows of tick, shifts, factors."""
    rows: list[Floats] = []
    begin, origin = -(2**62), network.origin // network.interval
    draws = np.uint64(derive(key, randomness.DRIFT))
    for number, (drift, shift, scale) in enumerate(network.tables.steps):
        if uniform(draws, 2 * number) >= drift.share:
            continue
        tick = origin + drift.after / network.interval
        if isinstance(drift, NewDeviceClass):
            begin = max(begin, int(tick))
        else:
            tick += uniform(draws, 2 * number + 1) * drift.rollout / network.interval
        rows.append(np.concatenate(([tick], shift, scale)))
    width = 1 + 2 * len(network.settings.metrics)
    return begin, np.array(rows).reshape(len(rows), width)


def _truth(network: Network, device: int, row: Floats) -> Truth:
    name, cause = network.tables.names[int(row[SCENARIO])], list(network.settings.metrics)[int(row[CAUSE])]
    return Truth(device, name, int(row[PRECURSOR]), int(row[CRITICAL]), int(row[END]), cause)
