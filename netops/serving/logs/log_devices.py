"""Devices that have logs and no metrics: they are scored at an interval, as they were sampled in training."""

from collections.abc import Iterable
from time import time_ns

import numpy as np
import numpy.typing as npt

from netops.serving.engine.clock import NEVER
from netops.serving.engine.samples import Samples

Integers = npt.NDArray[np.int64]

#: No more intervals are added beyond this number of samples; the others are made the next time.
_AT_ONCE = 5_000
#: Intervals after its first message in which a device may still turn out to send metrics.
_PATIENCE = 2
#: Nanoseconds without a message after which a device is no longer scored: a day.
_FORGOTTEN = 86_400 * 10**9


class LogDevices:
    """The devices without metrics, by code, and the time of their messages.

    The time of the logs is that of the newest message, and continues with the clock of the machine: at the end of
    each interval every device has a sample, whether or not it has sent messages.

    Parameters
    ----------
    interval : int
        Nanoseconds between two samples, which are at multiples of it; 0: devices without metrics are not scored.
    history : int
        Nanoseconds before which no samples are made up for: that of the longest window.
    patient : bool
        Whether devices may have metrics, whose first sample may come after their first message.
    """

    def __init__(self, interval: int, history: int, patient: bool) -> None:
        self.interval = interval
        self._longest = max(history // interval, 1) if interval else 0
        self._patience = _PATIENCE * interval if patient else 0
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._newest, self._arrival = NEVER, 0
        self._done = NEVER

    def __contains__(self, code: int) -> bool:
        return code in self._first

    def note(self, code: int, time: int, now: int | None = None) -> None:
        """Note a message.

        Parameters
        ----------
        code : int
            Of a device without metrics.
        time : int
            Nanoseconds.
        now : int, optional
            The time of its arrival; default: now.
        """
        now = time_ns() if now is None else now
        self._first[code] = min(self._first.get(code, time), time)
        self._last[code] = max(self._last.get(code, time), time)
        self._advance(min(time, now), now)

    def _advance(self, time: int, now: int) -> None:
        if time > self._newest:
            self._newest, self._arrival = time, now

    def is_too_old(self, time: int) -> bool:
        """Return whether a message is older than the windows of all devices."""
        return self._newest != NEVER and time < self._newest - self._longest * self.interval

    def due(self, newest: Integers, now: int | None = None) -> list[tuple[int, int]]:
        """Return code and time of the samples to make, by time.

        Parameters
        ----------
        newest : int64 array, by code
            The time of the last sample of each device, ``NEVER`` if there was none.
        now : int, optional
            Nanoseconds; default: now.
        """
        if not self.interval or self._newest == NEVER:
            return []
        now = time_ns() if now is None else now
        until = (self._newest + max(now - self._arrival, 0)) // self.interval
        if until == self._done:
            return []
        starts = {code: self._start(code, int(newest[code]), until) for code in self._first}
        found: list[tuple[int, int]] = []
        for tick in range(min(starts.values(), default=until + 1), until + 1):
            if len(found) >= _AT_ONCE:
                return found
            found += [(code, tick * self.interval) for code, start in starts.items() if start <= tick]
        self._done = until
        return found

    def _start(self, code: int, newest: int, until: int) -> int:
        """Return the first interval whose end has no sample of a device yet."""
        if newest != NEVER:
            start = newest // self.interval + 1
        elif self._first[code] + self._patience > until * self.interval:
            return until + 1
        else:
            start = -(-self._first[code] // self.interval)
        return max(start, until - self._longest + 1)

    def forgotten(self) -> list[int]:
        """Return the devices that have not sent a message for a day."""
        return [code for code, last in self._last.items() if last < self._newest - _FORGOTTEN]

    def release(self, codes: Iterable[int]) -> None:
        """Note that devices have metrics, or are removed."""
        if not self._first and not self._last:
            return
        for code in codes:
            self._first.pop(code, None)
            self._last.pop(code, None)

    def save(self, code: int) -> tuple[int, int] | None:
        """Return first and last message of a device; None if it has metrics."""
        return (self._first[code], self._last[code]) if code in self._first else None

    def restore(self, code: int, saved: tuple[int, int] | None) -> None:
        """Restore what :meth:`save` returned."""
        self.release([code])
        if saved is not None:
            self._first[code], self._last[code] = saved
            now = time_ns()
            self._advance(min(saved[1], now), now)

    def resume(self, before: "LogDevices") -> None:
        """Continue with the time of the logs before a change of the model."""
        self._newest, self._arrival = before._newest, before._arrival


def samples_of(due: list[tuple[int, int]], names: list[str | None], metrics: tuple[str, ...]) -> Samples:
    """Make samples without metrics.

    Parameters
    ----------
    due : list of (code, time)
    names : list of str
        By code.
    metrics : tuple of str
        Of the champion.
    """
    times = [time for _, time in due]
    return Samples(
        [names[code] for code, _ in due],
        list(times),
        np.array(times, np.int64),
        np.full((len(due), len(metrics)), np.nan),
        metrics=metrics,
        is_made=True,
    )
