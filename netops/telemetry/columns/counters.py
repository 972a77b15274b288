"""Counters: metrics that only increase are converted into rates per second."""

import numpy as np
import numpy.typing as npt

from netops.config.durations import SECOND

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


def rates(offsets: npt.ArrayLike, timestamps: npt.ArrayLike, values: npt.ArrayLike) -> Float64:
    """Convert one counter into its rate.

    Parameters
    ----------
    offsets : int64 array, devices + 1
        Device i owns the rows offsets[i]:offsets[i + 1].
    timestamps : int64 array, n
        Nanoseconds, ascending within a device.
    values : float64 array, n
        The counter; NaN where it was not read.

    Returns
    -------
    float64 array, n
        Increase per second since the last known value of the same device; NaN for its first known value and
        where the counter was not read. A counter that is lower than before was reset to zero, as in
        Prometheus: its value is the increase.
    """
    times, counts = np.asarray(timestamps, np.int64), np.asarray(values, np.float64)
    first = np.zeros(len(counts), np.int64)
    bounds = np.asarray(offsets, np.int64)
    first[bounds[:-1][bounds[:-1] < len(counts)]] = bounds[:-1][bounds[:-1] < len(counts)]
    first = np.maximum.accumulate(first) if len(first) else first
    known = np.flatnonzero(~np.isnan(counts))
    result = np.full(len(counts), np.nan)
    if len(known) < 2:
        return result
    now, before = known[1:], known[:-1]
    same = first[now] == first[before]
    now, before = now[same], before[same]
    increase = counts[now] - counts[before]
    increase = np.where(increase < 0, counts[now], increase)
    result[now] = increase / ((times[now] - times[before]) / SECOND)
    return result
