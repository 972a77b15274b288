"""Incidents at regular times: planned work and scheduled jobs rather than failures."""

from collections.abc import Iterator, Sequence
from math import exp, lgamma, log, log1p

import numpy as np
import numpy.typing as npt

from netops.config.durations import DAY, HOUR, MINUTE, SECOND, format_duration

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

# Minimum number of days (or hours) with an incident at the same time that is not chance.
_MIN_PERIODS = 4
_IMPROBABLE = 1e-3
# Minimum number of samples in a period.
_READINGS = 24
# Minimum number of incidents at equal intervals, and how far the intervals may differ from their mean.
_MIN_STEPS, _EVEN = 7, 0.1
_PERIODS = ((DAY, "time of day"), (HOUR, "minute of the hour"))


def follows_clock(starts: Int64, devices: Sequence[str], interval: int, period: int = DAY) -> Bool:
    """Find the incidents that repeatedly start at the same time of the period on the same device.

    Parameters
    ----------
    starts : int64 array, n
        Nanoseconds since the epoch.
    devices : sequence of str, n
    interval : int
        Nanoseconds between two samples, which is the precision of the starts.
    period : int
        Nanoseconds: a day, or an hour.

    Returns
    -------
    bool array, n
        An incident follows the clock if others of its device start within two intervals (at least a minute) of the
        same time, in more periods than chance would give (binomial, corrected for the number of incidents). Nothing
        does where a period has fewer than 24 samples.
    """
    found = np.zeros(len(starts), bool)
    if interval * _READINGS > period:
        return found
    names = np.array(devices, object)
    tolerance = max(2 * interval, MINUTE if period == DAY else SECOND)
    for device in sorted(set(devices)):
        rows = np.flatnonzero(names == device)
        found[rows] = _at_one_time(starts[rows], tolerance, period)
    return found


def _at_one_time(starts: Int64, tolerance: int, period: int) -> Bool:
    count = len(starts)
    phase, number = starts % period, starts // period
    chance = min(0.5, (2 * tolerance + 1) / period)
    found = np.zeros(count, bool)
    for row in range(count):
        distance = np.abs(phase - phase[row])
        near = np.minimum(distance, period - distance) <= tolerance
        periods = len(np.unique(number[near]))
        if periods >= _MIN_PERIODS and count * _tail(periods - 1, count - 1, chance) < _IMPROBABLE:
            found |= near
    return found


def _tail(hits: int, trials: int, chance: float) -> float:
    """Return the probability of at least this number of hits among the trials (binomial)."""
    if hits <= trials * chance:
        return 1.0
    total, odds = 0.0, log(chance / (1 - chance))
    term = lgamma(trials + 1) - lgamma(hits + 1) - lgamma(trials - hits + 1) + hits * odds + trials * log1p(-chance)
    for k in range(hits, trials + 1):
        if term < -700 and total:
            break
        total += exp(term)
        if k < trials:
            term += log((trials - k) / (k + 1)) + odds
    return total


def clock_findings(starts: Int64, devices: Sequence[str], interval: int) -> Iterator[tuple[str, str]]:
    """Report incidents at regular times, one line per kind.

    Yields
    ------
    tuple of str
        Subject and message.
    """
    names = np.array(devices, object)
    for period, what in _PERIODS:
        found = follows_clock(starts, devices, interval, period)
        if found.any():
            on = sorted(set(names[found]))
            yield (
                "incidents",
                f"{int(found.sum())} of {len(starts)} repeatedly start at the same {what} on the same device "
                f"({_brief(on)}): planned work, or a scheduled job?",
            )
            return
    even = [device for device in sorted(set(devices)) if _is_even(np.sort(starts[names == device]))]
    if even:
        usual = int(np.diff(np.sort(starts[names == even[0]])).mean())
        yield "incidents", f"one starts every {roughly(usual)} on {_brief(even)}: planned work, or a scheduled job?"


def _is_even(starts: Int64) -> bool:
    steps = np.diff(starts)
    return bool(len(steps) >= _MIN_STEPS and steps.std() < _EVEN * steps.mean())


def _brief(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (f", … {len(names)} devices" if len(names) > limit else "")


def roughly(nanoseconds: int) -> str:
    """Format a duration in a readable unit."""
    for unit in (DAY, HOUR, MINUTE):
        if nanoseconds >= 3 * unit:
            return format_duration(round(nanoseconds / unit) * unit)
    return format_duration(max(1, round(nanoseconds / SECOND)) * SECOND)
