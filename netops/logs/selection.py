"""Select the templates that become columns: mostly those that precede the incidents of the training split."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.logs.messages import Messages
from netops.logs.records import Int32, Int64
from netops.logs.severity import WARNING

Floats = npt.NDArray[np.float64]
#: Minimum number of incidents that a template precedes, or of periods that it is in.
_MIN_INCIDENTS = 2


@dataclass(frozen=True)
class Device:
    """What selection uses of a device.

    Attributes
    ----------
    first, last : int
        The time of the training split, in nanoseconds.
    starts, ends : int64 arrays
        Its incidents in this time.
    """

    first: int
    last: int
    starts: Int64
    ends: Int64


def in_training(
    training: Mapping[str, Device], names: list[str], devices: Int32, times: Int64
) -> npt.NDArray[np.bool_]:
    """Mark the messages of the training split."""
    last = np.array([training[name].last if name in training else -1 for name in names], np.int64)
    return times <= last[devices]


def select(
    messages: Messages, training: Mapping[str, Device], horizon: int, templates: int, limit: int
) -> tuple[int, ...]:
    """Select templates by the likelihood ratio of their presence before incidents and elsewhere.

    The time of each device is divided into periods of one horizon. A template is selected if it is in a larger
    fraction of the periods before incidents than of the others; those with the largest G statistic are.

    Parameters
    ----------
    messages : Messages
    training : mapping
        Device → its time and incidents in the training split.
    horizon : int
        Nanoseconds.
    templates : int
        Number of templates.
    limit : int
        Maximum number that is selected.

    Returns
    -------
    tuple of int
        In rising order.
    """
    before, elsewhere = np.zeros(templates), np.zeros(templates)
    incidents, periods = 0, 0.0
    for name, device in training.items():
        times, _, numbers = messages.of(name)
        inside = (times >= device.first) & (times <= device.last) & (numbers >= 0)
        times, numbers = times[inside], numbers[inside]
        near = np.zeros(len(times), bool)
        for start, end in zip(device.starts.tolist(), device.ends.tolist(), strict=True):
            early = (times > start - horizon) & (times < start)
            before[np.unique(numbers[early])] += 1
            near |= (times > start - horizon) & (times < end)
        pairs = np.unique(np.stack([times[~near] // horizon, numbers[~near].astype(np.int64)]), axis=1)
        np.add.at(elsewhere, pairs[1], 1)
        incidents += len(device.starts)
        periods += max(1.0, (device.last - device.first) / horizon - len(device.starts))
    gains = _g(before, float(incidents), elsewhere, periods)
    gains[(before < _MIN_INCIDENTS) | (before * periods <= elsewhere * incidents)] = 0
    best = np.argsort(-gains, kind="stable")[:limit]
    return tuple(sorted(best[gains[best] > 0].tolist()))


def select_without_incidents(
    messages: Messages, training: Mapping[str, Device], horizon: int, templates: int, limit: int
) -> tuple[int, ...]:
    """Select templates without the incidents: warnings and errors first, then the most frequent ones.

    For cross-fitting, where every incident of training and validation is predicted by a model that has not seen it.
    Frequency is the number of periods of one horizon of a device; a template in more than half of them is routine.

    Parameters and result are those of :func:`select`.
    """
    found, severe = np.zeros(templates), np.zeros(templates, bool)
    periods = 0.0
    for name, device in training.items():
        times, severities, numbers = messages.of(name)
        inside = (times >= device.first) & (times <= device.last) & (numbers >= 0)
        times, severities, numbers = times[inside], severities[inside], numbers[inside]
        severe[numbers[(severities >= 0) & (severities <= WARNING)]] = True
        np.add.at(found, np.unique(np.stack([times // horizon, numbers.astype(np.int64)]), axis=1)[1], 1)
        periods += max(1.0, (device.last - device.first) / horizon)
    known = np.flatnonzero((found >= _MIN_INCIDENTS) & (found <= periods / 2))
    best = known[np.lexsort((known, -found[known], ~severe[known]))][:limit]
    return tuple(sorted(best.tolist()))


def _g(before: Floats, incidents: float, elsewhere: Floats, periods: float) -> Floats:
    """Return the G statistic of 2 × 2 tables: with and without a template, before incidents and elsewhere."""
    total, found = incidents + periods, np.zeros(len(before))
    both = before + elsewhere
    for count, column in ((before, incidents), (elsewhere, periods)):
        for seen, row in ((count, both), (column - count, total - both)):
            expected = row * column / max(total, 1.0)
            found += np.where(seen > 0, seen * np.log(np.maximum(seen, 1e-12) / np.maximum(expected, 1e-12)), 0)
    return 2 * found
