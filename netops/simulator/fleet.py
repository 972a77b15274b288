"""The devices: names and locations, independent of the number of devices."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.errors import UsageError, closest
from netops.simulator.randomness import STATIC, key_of, uniform
from netops.simulator.settings import ChoiceStatic, GeneratorSettings, LevelSettings, RangeStatic


@dataclass(frozen=True)
class Fleet:
    """The devices of a network.

    Attributes
    ----------
    names : list of str
        One unique name per device.
    attributes : dict
        Attribute → one text per device: the levels above the device, then the static attributes.
    sites : int64 array
        Number of the site (the item of the level above the device).
    depths : int64 array
        Hops from the device to the outside of its site.
    """

    names: list[str]
    attributes: dict[str, list[str]]
    sites: npt.NDArray[np.int64]
    depths: npt.NDArray[np.int64]


def level_size(level: LevelSettings) -> int:
    """Return how many items a level has in each item of the level above."""
    return len(level.names) if level.names else level.num_items or 1


def default_devices(settings: GeneratorSettings) -> int:
    """Return the number of devices of the deployment section."""
    return math.prod(level_size(level) for level in settings.deployment.values())


def make_fleet(settings: GeneratorSettings, devices: int, seed: int) -> Fleet:
    """Assign names and locations to devices.

    Devices are assigned to sites in turn, so that a smaller network is a subset of a larger one.

    Raises
    ------
    UsageError
        For a Faker provider or a name pattern that does not exist.
    """
    *upper, (device_level, device) = settings.deployment.items()
    indices = _locations(dict(upper), seed)
    numbers = np.arange(devices)
    sites, within = numbers % len(indices), numbers // len(indices)
    above = [{level: indices[site][level] for level, _ in upper} for site in sites]
    name = _namer(device_level, device, seed, len(upper))
    names = _distinct(name(int(number), index) for number, index in zip(within, above, strict=True))
    attributes = {level: [index[level] for index in above] for level, _ in upper}
    attributes |= _statics(settings, devices, seed)
    return Fleet(names, attributes, sites, _depths(within, settings))


def _locations(levels: Mapping[str, LevelSettings], seed: int) -> list[dict[str, str]]:
    indices: list[dict[str, str]] = [{}]
    for depth, (name, level) in enumerate(levels.items()):
        make = _namer(name, level, seed, depth)
        size = level_size(level)
        items = [make(number % size, indices[number // size]) for number in range(size * len(indices))]
        # Listed names and patterns repeat from parent to parent on purpose; names of a provider must be unique.
        items = _distinct(items) if level.faker else items
        indices = [{**indices[number // size], name: item} for number, item in enumerate(items)]
    return indices


def _namer(name: str, level: LevelSettings, seed: int, depth: int) -> Callable[[int, Mapping[str, str]], str]:
    if level.names:
        return lambda number, _: level.names[number % len(level.names)]
    if level.faker:
        return _provider(name, level.faker, seed, depth)
    return _pattern(name, level.pattern or f"{name}-{{number}}")


def _pattern(name: str, pattern: str) -> Callable[[int, Mapping[str, str]], str]:
    def make(number: int, above: Mapping[str, str]) -> str:
        try:
            return pattern.format(number=number + 1, **above)
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise UsageError(
                f"deployment: {name}: pattern '{pattern}' does not fit ({error}); it may hold "
                f"{', '.join('{' + key + '}' for key in ('number', *above))}"
            ) from None

    return make


def _provider(name: str, provider: str, seed: int, depth: int) -> Callable[[int, Mapping[str, str]], str]:
    from faker import Faker

    faker = Faker("en_US", use_weighting=False)
    known = [method for method in dir(faker.factories[0]) if not method.startswith("_")]
    if provider not in known:
        raise UsageError(f"deployment: {name}: Faker has no provider '{provider}'{closest(provider, known)}")
    method = getattr(faker, provider)
    counter = iter(range(2**62))

    def make(number: int, above: Mapping[str, str]) -> str:
        # Seeded by the item's number: names do not depend on the number of items.
        faker.seed_instance(int(key_of(seed, STATIC, depth, next(counter))))
        return str(method()).replace(",", "_").replace(" ", "_")

    return make


def _distinct(names: Iterable[str]) -> list[str]:
    """Add a number to repeated names."""
    taken: set[str] = set()
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        unique = name
        while unique in taken:
            seen[name] = seen.get(name, 1) + 1
            unique = f"{name}-{seen[name]}"
        taken.add(unique)
        distinct.append(unique)
    return distinct


def _statics(settings: GeneratorSettings, devices: int, seed: int) -> dict[str, list[str]]:
    columns = {}
    for index, (name, static) in enumerate(settings.static.items()):
        key = key_of(seed, STATIC, 1000 + index)
        draws = [uniform(key, device) for device in range(devices)]
        columns[name] = [_static_value(static, draw) for draw in draws]
    return columns


def _static_value(static: RangeStatic | ChoiceStatic, draw: float) -> str:
    if isinstance(static, ChoiceStatic):
        return str(static.choices[int(draw * len(static.choices))])
    value = static.min_range + draw * (static.max_range - static.min_range)
    return str(math.floor(value)) if static.as_integer else f"{value:.6g}"


def _depths(within: npt.NDArray[np.int64], settings: GeneratorSettings) -> npt.NDArray[np.int64]:
    """Connect device j to device (j - uplinks) // fan_out, as in a heap: independent of the number of devices."""
    topology = settings.topology
    index, depths = within.copy(), np.zeros(len(within), np.int64)
    while (below := index >= topology.uplinks).any():
        index[below] = (index[below] - topology.uplinks) // topology.fan_out
        depths[below] += 1
    return depths
