"""Effects of scenarios on metrics: a disturbance moves a metric towards one of its limits."""

import math

import numpy as np
import numpy.typing as npt

from netops.kernels import kernel
from netops.simulator.randomness import derive, normal, uniform
from netops.simulator.schedule import INDEX, LENGTH, START
from netops.simulator.tables import (
    AFFECTED,
    CONGESTED,
    DEPTH,
    EDGE,
    FAILURE,
    FLAPS,
    FROZEN,
    GROWTH,
    HEIGHT,
    HIGH,
    JITTER,
    LOW,
    PEAKS,
    PERIOD,
    SHAPE,
    SIGN,
    SILENT,
    SPIKES,
    STAGGER,
    TAIL,
    VARIATION,
    Floats,
    Ints,
)

#: Columns of a disturbance: metric, ticks at which it enters, is in error and ends, depth, sign, chance of a jump.
METRIC, ENTER, PINNED, UNTIL, HOW_FAR, TOWARDS, JUMPS = range(7)

_CHANNEL = 2


@kernel(error_model="numpy")
def lay_out(key: np.uint64, event: Floats, scenario: Floats, order: Ints, metrics: Floats) -> Floats:
    """Plan a failure: one row per metric, of METRIC, ENTER, PINNED, UNTIL, HOW_FAR, TOWARDS, JUMPS.

    Metric k enters after k times the stagger; it is in error for the failure's fraction of the remaining time,
    plus or minus the jitter. The device is in critical failure once all its affected metrics are in error. In a
    silent failure, none of them changes before that.
    """
    draws = derive(key, int(event[INDEX]))
    start, length, count = event[START], event[LENGTH], int(scenario[AFFECTED])
    paced = length * (1.0 + 0.1 * normal(draws, 0))
    depth = scenario[DEPTH] * max(0.0, 1.0 + scenario[VARIATION] * normal(draws, 1))
    rows = np.empty((count, 7))
    for k in range(count):
        offset = min(length - 1.0, max(0.0, math.floor(paced * scenario[STAGGER] * k)))
        left = length - offset
        share = scenario[FAILURE] + scenario[JITTER] * normal(draws, 10 + 3 * k)
        error = min(left, max(1.0, math.floor(left * share)))
        before = left - error
        if scenario[TAIL] > 0.0 and k > 0:
            offset += math.floor(before * (1.0 - scenario[TAIL]))
        peaks = math.floor(scenario[PEAKS] * (1.0 + 0.5 * normal(draws, 11 + 3 * k)))
        metric = order[k]
        rows[k, 0], rows[k, 1], rows[k, 2], rows[k, 3] = (
            metric,
            start + offset,
            start + length - error,
            start + length,
        )
        rows[k, 4], rows[k, 5] = min(1.0, depth), metrics[metric, SIGN]
        rows[k, 6] = max(0.0, peaks) / before if before > 0.0 else 0.0
    if channel(key, event) < scenario[SILENT]:
        critical = rows[:, PINNED].max()
        rows[:, ENTER], rows[:, PINNED] = critical, critical
    return rows


@kernel(error_model="numpy")
def channel(key: np.uint64, event: Floats) -> float:
    """Return the number in (0, 1) that decides whether logs, metrics or both announce a failure."""
    return uniform(derive(key, int(event[INDEX])), _CHANNEL)


@kernel(error_model="numpy")
def disturb(
    key: np.uint64, row: Floats, scenario: Floats, metric: Floats, first: int, traffic: Floats, values: Floats,
    error: npt.NDArray[np.bool_],
) -> None:  # fmt: skip
    """Shift the values of one metric according to a row of :func:`lay_out`, and mark where it is in error."""
    limit = metric[HIGH] if row[TOWARDS] > 0.0 else metric[LOW]
    draws = derive(key, int(row[METRIC]))
    for i in range(max(0, int(row[ENTER]) - first), min(len(values), int(row[UNTIL]) - first)):
        tick = first + i
        if tick >= row[PINNED]:
            values[i] = limit
            error[i] = True
        else:
            way = _way(draws, tick, row, scenario, traffic[i])
            values[i] += min(1.0, way) * (limit - values[i])


@kernel(error_model="numpy")
def _way(draws: np.uint64, tick: int, row: Floats, scenario: Floats, traffic: float) -> float:
    """Return how far a metric moves towards its limit in the precursor."""
    since = (tick - row[ENTER]) / (row[PINNED] - row[ENTER])
    shape = scenario[SHAPE]
    if shape == FLAPS:
        down = ((tick - row[ENTER]) / scenario[PERIOD]) % 1.0 < 0.1 + 0.6 * since ** scenario[GROWTH]
        return row[HOW_FAR] if down else 0.0
    way = row[HOW_FAR] * since ** scenario[GROWTH]
    if shape == CONGESTED:
        return way * min(1.5, traffic)
    if shape == SPIKES and uniform(draws, tick) < row[JUMPS]:
        return max(way, scenario[HEIGHT])
    return way


@kernel(error_model="numpy")
def maintain(
    key: np.uint64, event: Floats, scenario: Floats, metric: Floats, effect: float, first: int, values: Floats
) -> None:
    """Shift the values of one metric for the duration of an event."""
    limit = metric[HIGH] if effect > 0.0 else metric[LOW]
    draws = derive(key, int(event[INDEX]))
    far = min(1.0, abs(effect) * max(0.0, 1.0 + scenario[VARIATION] * normal(draws, 0)))
    edge = max(1.0, scenario[EDGE] * event[LENGTH])
    for i in range(max(0, int(event[START]) - first), min(len(values), int(event[START] + event[LENGTH]) - first)):
        inside = min(first + i - event[START] + 1.0, event[START] + event[LENGTH] - first - i)
        values[i] += far * min(1.0, inside / edge) * (limit - values[i])


@kernel(error_model="numpy")
def swell(key: np.uint64, event: Floats, scenario: Floats, first: int, traffic: Floats) -> None:
    """Add a peak to the traffic: up in a fifth of its time, then down slowly."""
    draws = derive(key, int(event[INDEX]))
    height = scenario[HEIGHT] * max(0.0, 1.0 + scenario[VARIATION] * normal(draws, 0))
    for i in range(max(0, int(event[START]) - first), min(len(traffic), int(event[START] + event[LENGTH]) - first)):
        since = (first + i - event[START]) / event[LENGTH]
        traffic[i] += height * (since / 0.2 if since < 0.2 else 1.0 - (since - 0.2) / 0.8)


@kernel(error_model="numpy")
def freezes(key: np.uint64, event: Floats, scenario: Floats) -> bool:
    """Return whether a sensor fault freezes the values; if not, they are missing."""
    return uniform(derive(key, int(event[INDEX])), 0) < scenario[FROZEN]
