"""What devices do when all is well: traffic, and metrics that follow it with their own levels and noise."""

import math

import numpy as np
from numba import njit

from netops.telemetry.generator.randomness import derive, normal, quantile, smooth, uniform
from netops.telemetry.generator.schedule import rhythm
from netops.telemetry.generator.tables import (
    CDF_AT,
    CDF_FIRST,
    CDF_SIZE,
    CORRELATION,
    DRAW_MAX,
    DRAW_MIN,
    DRAWN,
    FOLLOW,
    LEVEL_SD,
    MU,
    NOISE,
    SIGMA,
    SMOOTHNESS,
    T_CORRELATION,
    T_DAILY,
    T_GROWTH,
    T_GROWTH_AT,
    T_LEVEL,
    T_NOISE,
    WALK,
    Floats,
)

_WHITE, _SMOOTH, _NOISE, _LEVEL = 1, 2, 3, 4


@njit(cache=True, nogil=True)
def fill_traffic(key: np.uint64, first: int, vector: Floats, phase: float, out: Floats) -> None:
    """Write the traffic of a device at the ticks from ``first`` on; 1 is usual."""
    level = max(0.1, 1.0 + vector[T_LEVEL] * normal(key, -1))
    slow = derive(key, _SMOOTH)
    for i in range(len(out)):
        tick = first + i
        value = level
        if vector[T_DAILY] > 0.0:
            value *= 1.0 + vector[T_DAILY] * rhythm(tick, vector, phase)
        if vector[T_NOISE] > 0.0:
            value *= 1.0 + vector[T_NOISE] * smooth(slow, tick / vector[T_CORRELATION])
        if vector[T_GROWTH] != 0.0 and tick > vector[T_GROWTH_AT]:
            value *= 1.0 + vector[T_GROWTH] * (tick - vector[T_GROWTH_AT])
        out[i] = max(0.0, value)


@njit(cache=True, nogil=True)
def fill_metric(
    key: np.uint64,
    first: int,
    metric: Floats,
    cdf: Floats,
    traffic: Floats,
    steps: Floats,
    walk: Floats,
    out: Floats,
) -> None:
    """Write a metric at the ticks from ``first`` on, before anything disturbs it.

    ``steps`` has rows of tick, shift, factor on the deviation; ``walk`` the sum so far of a past-based metric.
    """
    level = metric[LEVEL_SD] * normal(derive(key, _LEVEL), 0)
    for i in range(len(out)):
        value, shift = step_of(key, first + i, metric, cdf, steps)
        if metric[WALK]:
            walk[0] += value
            value = walk[0]
        out[i] = value + level + shift + metric[FOLLOW] * (traffic[i] - 1.0)


@njit(cache=True, nogil=True)
def step_of(key: np.uint64, tick: int, metric: Floats, cdf: Floats, steps: Floats) -> tuple[float, float]:
    """Draw a metric at one tick; return what is drawn and the shift that drift adds."""
    shift, scale = 0.0, 1.0
    for s in range(len(steps)):
        if tick >= steps[s, 0]:
            shift += steps[s, 1]
            scale *= steps[s, 2]
    value = metric[MU] + scale * (_draw(key, tick, metric, cdf) - metric[MU])
    if metric[NOISE] > 0.0:
        value += scale * metric[NOISE] * normal(derive(key, _NOISE), tick)
    return min(metric[DRAW_MAX], max(metric[DRAW_MIN], value)), shift


@njit(cache=True, nogil=True)
def _draw(key: np.uint64, tick: int, metric: Floats, cdf: Floats) -> float:
    share = metric[SMOOTHNESS]
    if share == 0.0 and metric[DRAWN]:
        return _count(uniform(derive(key, _WHITE), tick), metric, cdf)
    z = 0.0
    if share < 1.0:
        z += math.sqrt(1.0 - share) * quantile(uniform(derive(key, _WHITE), tick))
    if share > 0.0:
        z += math.sqrt(share) * smooth(derive(key, _SMOOTH), tick / metric[CORRELATION])
    if metric[DRAWN]:
        return _count(0.5 * math.erfc(-z / math.sqrt(2.0)), metric, cdf)
    return metric[MU] + metric[SIGMA] * z


@njit(cache=True, nogil=True)
def _count(u: float, metric: Floats, cdf: Floats) -> float:
    at, size = int(metric[CDF_AT]), int(metric[CDF_SIZE])
    return metric[CDF_FIRST] + np.searchsorted(cdf[at : at + size], u)
