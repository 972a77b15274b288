"""The schedule of scenarios, which can be computed for any time range independently.

Absolute time is divided into blocks of ``BLOCK`` ticks, with an offset per device. In a
block, healthy times (geometric, as each tick has the same probability) and scenarios alternate; a scenario that
would exceed the block does not start. So a block depends only on its key.
"""

import math

import numpy as np

from netops.kernels import kernel
from netops.simulator.randomness import derive, normal, uniform
from netops.simulator.tables import RHYTHMIC, SPREAD, T_DAILY, T_DAY, TICKS, Floats, Ints

BLOCK = 262_144
#: Columns of an event: first tick, length in ticks, row of the scenario table, address of its random numbers.
START, LENGTH, KIND, INDEX = range(4)

_TAU = 2.0 * math.pi


@kernel(error_model="numpy")
def rhythm(tick: int, traffic: Floats, phase: float) -> float:
    """Height of the daily rhythm at a tick, between -1 and 1."""
    return math.sin(_TAU * (tick / traffic[T_DAY] + phase))


@kernel(error_model="numpy")
def events_between(
    key: np.uint64, first: int, last: int, chance: float, kinds: Ints, weights: Floats, scenarios: Floats,
    traffic: Floats, phase: float,
) -> Floats:  # fmt: skip
    """List the events that overlap the ticks first..last-1: rows of START, LENGTH, KIND, INDEX."""
    found = np.empty((16, 4))
    count = 0
    if chance <= 0.0:
        return found[:0]
    # Proposed at the rate of the peak hour, then thinned to the rate of each proposal's hour.
    most = 0.0
    for i in range(len(kinds)):
        most += _weight(weights[i], scenarios[kinds[i]], traffic, 1.0)
    proposed = min(1.0, chance * most / weights.sum())
    offset = int(uniform(key, 0) * BLOCK)
    for block in range((first + offset) // BLOCK, (last - 1 + offset) // BLOCK + 1):
        draws = derive(key, block)
        tick, end, n = block * BLOCK - offset, (block + 1) * BLOCK - offset, 0
        while True:
            start, n = tick + _healthy_ticks(uniform(draws, n), proposed), n + 3
            if start >= min(end, last):
                break
            height = rhythm(start, traffic, phase)
            kind = _pick(uniform(draws, n - 2) * most, kinds, weights, scenarios, traffic, height)
            if kind < 0:
                tick = start + 1
                continue
            length = _length(normal(draws, n - 1), scenarios[kind])
            if start + length > end:
                break
            if start + length > first:
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                found[count, 0], found[count, 1], found[count, 2], found[count, 3] = start, length, kind, start
                count += 1
            # One healthy tick between two of them separates their incidents.
            tick = start + length + 1
    return found[:count]


@kernel(error_model="numpy")
def _healthy_ticks(u: float, chance: float) -> int:
    if chance >= 1.0:
        return 0
    return int(min(math.log(u) / math.log1p(-chance), 4.0 * BLOCK))


@kernel(error_model="numpy")
def _pick(left: float, kinds: Ints, weights: Floats, scenarios: Floats, traffic: Floats, height: float) -> int:
    """Choose a scenario; -1 if nothing starts."""
    for i in range(len(kinds)):
        left -= _weight(weights[i], scenarios[kinds[i]], traffic, height)
        if left < 0.0:
            return kinds[i]
    return -1


@kernel(error_model="numpy")
def _weight(weight: float, scenario: Floats, traffic: Floats, height: float) -> float:
    if scenario[RHYTHMIC] and traffic[T_DAILY] > 0.0:
        # The half wave's mean is 1/π: over a day the scenario keeps its fraction.
        return weight * math.pi * max(0.0, height)
    return weight


@kernel(error_model="numpy")
def _length(z: float, scenario: Floats) -> int:
    factor = 1.0 + scenario[SPREAD] * min(3.0, max(-3.0, z))
    return max(1, int(scenario[TICKS] * max(0.1, factor) + 0.5))
