"""Incidents of one device: maximal runs of samples in error."""

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


def incidents_of(timestamps: npt.ArrayLike, is_error: npt.ArrayLike) -> tuple[Int64, Int64]:
    """Find the incidents of one device.

    Parameters
    ----------
    timestamps : int64 array, n
        Nanoseconds since the epoch, ascending.
    is_error : bool array, n
        Whether the device is failing.

    Returns
    -------
    starts, ends : int64 arrays, one element per incident
        The first sample in error, and the first healthy sample after it. An incident that lasts to the end of
        the data ends one median step after the last sample (one nanosecond where there is one sample only).
    """
    times = np.asarray(timestamps, np.int64)
    flags = np.concatenate(([False], np.asarray(is_error, bool), [False]))
    edges = np.flatnonzero(flags[1:] != flags[:-1])
    after = np.append(times, times[-1] + _step(times)) if len(times) else times
    return times[edges[::2]], after[edges[1::2]]


def _step(times: Int64) -> int:
    return max(1, int(np.median(np.diff(times)))) if len(times) > 1 else 1


def mark(timestamps: npt.ArrayLike, starts: npt.ArrayLike, ends: npt.ArrayLike) -> Bool:
    """Return which samples of one device are in ``[start, end)`` of an incident.

    Parameters
    ----------
    timestamps : int64 array, n
        Nanoseconds since the epoch, ascending.
    starts, ends : int64 arrays
        Incidents, in any order; they may overlap.

    Returns
    -------
    bool array, n
    """
    times = np.asarray(timestamps, np.int64)
    depth = np.zeros(len(times) + 1, np.int64)
    np.add.at(depth, np.searchsorted(times, np.asarray(starts, np.int64)), 1)
    np.add.at(depth, np.searchsorted(times, np.asarray(ends, np.int64)), -1)
    return np.cumsum(depth[:-1]) > 0


def merge(starts: npt.ArrayLike, ends: npt.ArrayLike) -> tuple[Int64, Int64]:
    """Merge incidents of one device that overlap or are adjacent; the result is sorted by time."""
    order = np.argsort(np.asarray(starts, np.int64), kind="stable")
    begin, latest = np.asarray(starts, np.int64)[order], np.maximum.accumulate(np.asarray(ends, np.int64)[order])
    if not len(begin):
        return begin, latest
    first = np.append(True, begin[1:] > latest[:-1])
    last = np.append(first[1:], True)
    return begin[first], latest[last]


def snap(timestamps: npt.ArrayLike, starts: npt.ArrayLike, ends: npt.ArrayLike) -> Bool:
    """Mark the incidents of a log in the samples of one device.

    As :func:`mark`; but an incident between two samples is assigned to the next sample, if that follows
    within two median steps: otherwise an incident shorter than the sampling interval would be lost.
    """
    times, begin, end = (np.asarray(values, np.int64) for values in (timestamps, starts, ends))
    marked = mark(times, begin, end)
    index = np.searchsorted(times, begin)
    hidden = (index == np.searchsorted(times, end)) & (index > 0) & (index < len(times))
    index = index[hidden]
    marked[index[times[index] - begin[hidden] <= 2 * _step(times)]] = True
    return marked


def unseen(timestamps: npt.ArrayLike, flags: Bool, starts: npt.ArrayLike, ends: npt.ArrayLike) -> Bool:
    """Return the incidents without a sample, as of a device that sends no data while it is down.

    Parameters
    ----------
    timestamps : int64 array, n
        Nanoseconds since the epoch, ascending.
    flags : bool array, n
        Which samples are in error, those marked by :func:`snap` among them.
    starts, ends : int64 arrays
        Incidents that do not overlap.

    Returns
    -------
    bool array, one element per incident
        Whether the incident is between two healthy samples; not before the first sample or after the last.
    """
    times, begin, end = (np.asarray(values, np.int64) for values in (timestamps, starts, ends))
    index = np.searchsorted(times, begin)
    between = (index == np.searchsorted(times, end)) & (index > 0) & (index < len(times))
    neighbour = np.clip(index, 1, max(1, len(times) - 1))
    return between & ~flags[neighbour - 1] & ~flags[np.minimum(neighbour, len(times) - 1)]
