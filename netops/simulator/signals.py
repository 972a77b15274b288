"""Healthy behaviour of devices: traffic, and metrics that follow it with their own levels and noise.

Each pass over a time range applies one step and depends only on absolute ticks.
"""

import math

import numpy as np

from netops.kernels import kernel
from netops.simulator.randomness import derive, normal, quantile, uniform
from netops.simulator.schedule import rhythm
from netops.simulator.tables import (
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
_ROOT_HALF = math.sqrt(0.5)


@kernel(error_model="numpy")
def fill_traffic(key: np.uint64, first: int, vector: Floats, phase: float, out: Floats) -> None:
    """Write the traffic of a device, beginning at tick ``first``; 1 is usual."""
    level = max(0.1, 1.0 + vector[T_LEVEL] * normal(key, -1))
    out[:] = 1.0
    if vector[T_NOISE] > 0.0:
        _add_smooth(derive(key, _SMOOTH), first, vector[T_CORRELATION], vector[T_NOISE], out)
    if vector[T_DAILY] > 0.0:
        daily = vector[T_DAILY]
        for i in range(len(out)):
            out[i] *= 1.0 + daily * rhythm(first + i, vector, phase)
    if vector[T_GROWTH] != 0.0:
        growth, since = vector[T_GROWTH], vector[T_GROWTH_AT]
        for i in range(len(out)):
            out[i] *= 1.0 + growth * max(0.0, first + i - since)
    for i in range(len(out)):
        out[i] = max(0.0, level * out[i])


@kernel(error_model="numpy")
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
    """Write an undisturbed metric, beginning at tick ``first``.

    ``steps`` has rows of tick, shift, factor of the deviation; ``walk`` is the current sum of a past-based metric.
    """
    draw_metric(key, first, metric, cdf, steps, out)
    if metric[WALK]:
        for i in range(len(out)):
            walk[0] += out[i]
            out[i] = walk[0]
    level, follow = metric[LEVEL_SD] * normal(derive(key, _LEVEL), 0), metric[FOLLOW]
    for i in range(len(out)):
        out[i] += level + follow * (traffic[i] - 1.0)
    for s in range(len(steps)):
        for i in range(_from(steps[s, 0], first), len(out)):
            out[i] += steps[s, 1]


@kernel(error_model="numpy")
def draw_metric(key: np.uint64, first: int, metric: Floats, cdf: Floats, steps: Floats, out: Floats) -> None:
    """Draw a metric from its distribution, with its noise, within the bounds of drawn values."""
    mu = metric[MU]
    if metric[DRAWN]:
        _fill_counts(key, first, metric, cdf, out)
    else:
        _fill_deviations(key, first, metric, metric[SIGMA], out)
        for i in range(len(out)):
            out[i] += mu
    for s in range(len(steps)):
        for i in range(_from(steps[s, 0], first), len(out)):
            out[i] = mu + steps[s, 2] * (out[i] - mu)
    if metric[NOISE] > 0.0:
        _add_white(derive(key, _NOISE), first, metric[NOISE], out)
    if metric[DRAW_MIN] > -np.inf or metric[DRAW_MAX] < np.inf:
        for i in range(len(out)):
            out[i] = min(metric[DRAW_MAX], max(metric[DRAW_MIN], out[i]))


@kernel(error_model="numpy")
def _from(tick: float, first: int) -> int:
    return max(0, math.ceil(tick) - first)


@kernel(error_model="numpy")
def _fill_deviations(key: np.uint64, first: int, metric: Floats, sigma: float, out: Floats) -> None:
    share = metric[SMOOTHNESS]
    out[:] = 0.0
    if share < 1.0:
        _add_white(derive(key, _WHITE), first, sigma * math.sqrt(1.0 - share), out)
    if share > 0.0:
        _add_smooth(derive(key, _SMOOTH), first, metric[CORRELATION], sigma * math.sqrt(share), out)


@kernel(error_model="numpy")
def _fill_counts(key: np.uint64, first: int, metric: Floats, cdf: Floats, out: Floats) -> None:
    at, size, lowest = int(metric[CDF_AT]), int(metric[CDF_SIZE]), metric[CDF_FIRST]
    table, white = cdf[at : at + size], derive(key, _WHITE)
    if metric[SMOOTHNESS] > 0.0:
        _fill_deviations(key, first, metric, 1.0, out)
        for i in range(len(out)):
            out[i] = lowest + np.searchsorted(table, 0.5 * math.erfc(-out[i] * _ROOT_HALF))
    else:
        for i in range(len(out)):
            out[i] = lowest + np.searchsorted(table, uniform(white, first + i))


@kernel(error_model="numpy")
def _add_white(key: np.uint64, first: int, sigma: float, out: Floats) -> None:
    """Add white noise."""
    for i in range(len(out)):
        out[i] += sigma * quantile(uniform(key, first + i))


@kernel(error_model="numpy")
def _add_smooth(key: np.uint64, first: int, period: float, sigma: float, out: Floats) -> None:
    """Add noise that changes over about ``period`` ticks: interpolated between points, of constant variance."""
    known, left, right = -1, 0.0, 0.0
    for i in range(len(out)):
        index = (first + i) / period
        point = math.floor(index)
        if point != known:
            left = right if known >= 0 and point == known + 1 else normal(key, point)
            right, known = normal(key, point + 1), point
        f = index - point
        value = (1.0 - f) * left + f * right
        out[i] += sigma * value / math.sqrt((1.0 - f) * (1.0 - f) + f * f)
