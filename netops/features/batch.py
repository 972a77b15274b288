"""Features of stored samples, device by device: those of the streaming kernel, to the bit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

from netops.errors import NetopsError
from netops.features import blocks, kernel
from netops.features.kernel import Floats, Ints, State
from netops.features.memory import add_devices, make_state, plan_of, take
from netops.features.spec import FeatureSpec

Array = TypeVar("Array", Ints, Floats)

#: Earlier than any sample.
_NO_TIME = -1
#: Rows that are read again for each row of the chunks, in total, from which on a stream is quicker; fewer than the
#: second number are never too many.
_AGAIN, _FEW = 4, 100_000


def transform(spec: FeatureSpec, offsets: Ints, timestamps: Ints, values: Floats, threads: int = 1) -> Floats:
    """Compute the features of samples sorted by device and time.

    Parameters
    ----------
    spec : FeatureSpec
        The features.
    offsets : int64 array, devices + 1
        Device i owns the rows offsets[i]:offsets[i + 1].
    timestamps : int64 array, n
        Nanoseconds since the epoch; strictly rising within a device.
    values : float64 array, n × metrics
        NaN where a value is missing.
    threads : int
        Number of threads; the result does not depend on it.

    Returns
    -------
    float64 array, n × len(spec.names)
        Identical to those of :class:`~netops.features.engine.FeatureEngine` for the same samples.

    Raises
    ------
    NetopsError
        If the shapes do not fit, or times are out of order, duplicate or invalid; names the row.
    """
    return Replay(spec, threads).feed(offsets, timestamps, values)


class Replay:
    """Compute the features of sorted samples in several chunks; a device may span several chunks.

    Parameters
    ----------
    spec : FeatureSpec
        The features.
    threads : int
        Number of threads per chunk.
    """

    def __init__(self, spec: FeatureSpec, threads: int = 1) -> None:
        self.spec, self.threads = spec, max(1, threads)
        self._engine: _Blocks | _Stream = _Stream(spec) if spec.relative else _Blocks(spec)
        self._last = _NO_TIME
        self._rows = 0

    def feed(self, offsets: Ints, timestamps: Ints, values: Floats, continues: bool = False) -> Floats:
        """Compute the features of the next chunk.

        Parameters
        ----------
        offsets, timestamps, values : arrays
            As :func:`transform` takes them.
        continues : bool
            Whether its first device is the last one of the previous chunk.

        Returns
        -------
        float64 array, n × len(spec.names)
        """
        offsets = np.ascontiguousarray(offsets, np.int64)
        times, values = np.ascontiguousarray(timestamps, np.int64), np.ascontiguousarray(values, np.float64)
        self._check(offsets, times, values, continues)
        if isinstance(self._engine, _Blocks) and continues and self._engine.is_slow:
            self._engine = self._engine.as_stream()
        out = self._engine.compute(offsets, times, values, self.threads, continues)
        self._rows += len(times)
        self._last = self._last_time(offsets, times, continues)
        return out if self.spec.columns is None else out.T[self.spec.columns].T

    def _last_time(self, offsets: Ints, times: Ints, continues: bool) -> int:
        """Return the time of the last sample of the last device, if it has one."""
        if len(offsets) > 1 and offsets[-2] < offsets[-1]:
            return int(times[-1])
        is_another = len(offsets) > 2 or (len(offsets) > 1 and not continues)
        return _NO_TIME if is_another else self._last

    def _check(self, offsets: Ints, times: Ints, values: Floats, continues: bool) -> None:
        count, metrics, shape = len(times), len(self.spec.metrics), values.shape
        whole = len(offsets) and offsets[0] == 0 and offsets[-1] == count and (np.diff(offsets) >= 0).all()
        if times.ndim != 1 or shape != (count, metrics) or not whole:
            raise NetopsError(f"samples do not fit: {count} times, {shape} values for {metrics} metrics")
        row, is_invalid = blocks.first_wrong(offsets, times, self._last if continues else _NO_TIME)
        if row < count:
            what = "before 1970 or after 2115" if is_invalid else "not after the one before it"
            raise NetopsError(
                f"row {self._rows + row}: time {times[row]} ns is {what}; sort the samples by device and time"
            )


class _Blocks:
    """All samples of a device at once; those that windows of the next chunk can contain are read again with it."""

    def __init__(self, spec: FeatureSpec) -> None:
        self._spec, self._plan = spec, plan_of(spec)
        self._times, self._values = np.zeros(0, np.int64), np.zeros((0, len(spec.metrics)))
        self._fed = self._again = 0

    def compute(self, offsets: Ints, times: Ints, values: Floats, threads: int, continues: bool) -> Floats:
        """Return the features of a chunk, column by column in memory."""
        out, carried = np.empty((self._spec.width, len(times))), len(self._times) if continues else 0
        self._fed, self._again = self._fed + len(times), self._again + carried
        if carried:
            times, values = np.concatenate([self._times, times]), np.concatenate([self._values, values])
            offsets = np.concatenate([[0], offsets[1:] + carried])
        times, values = _read_only(times), _read_only(values)

        def fill(_number: int, first: int, last: int) -> None:
            own = offsets[first : last + 1]
            work = blocks.work_for(self._plan, own, times)
            blocks.fill(self._plan, own, times, values, blocks.Target(out, carried), work)

        _in_threads(fill, _shares(offsets, threads), threads)
        if len(offsets) > 1:
            self._carry(times[offsets[-2] :], values[offsets[-2] :])
        return out.T

    def _carry(self, times: Ints, values: Floats) -> None:
        first = np.searchsorted(times, times[-1] - self._spec.longest_window, side="right") if len(times) else 0
        self._times, self._values = times[first:].copy(), values[first:].copy()

    @property
    def is_slow(self) -> bool:
        """Whether a stream would be quicker: chunks are short compared with the longest window."""
        return self._again > max(_FEW, _AGAIN * self._fed)

    def as_stream(self) -> "_Stream":
        """Return a stream that has read the samples of the windows."""
        stream = _Stream(self._spec)
        stream.compute(np.array([0, len(self._times)]), self._times, self._values, 1, False)
        return stream


class _Stream:
    """Sample by sample: statistics that depend on more than one window, and windows longer than many chunks."""

    def __init__(self, spec: FeatureSpec) -> None:
        self._spec, self._plan = spec, plan_of(spec)
        self._last = self._make_state()

    def _make_state(self) -> State:
        state = make_state(self._plan, len(self._spec.metrics))
        add_devices(self._plan, state, 1)
        return state

    def compute(self, offsets: Ints, times: Ints, values: Floats, threads: int, continues: bool) -> Floats:
        """Return the features of a chunk, row by row in memory."""
        times, values = np.require(times, requirements="W"), np.require(values, requirements="W")  # as the server
        out = np.empty((len(times), self._spec.width))
        shares = _shares(offsets, threads)
        states = [self._last, *(self._make_state() for _ in shares[1:])]
        devices, status = np.zeros(len(times), np.int64), np.empty(len(times), np.uint8)

        def work(number: int, first: int, last: int) -> None:
            """Replay the devices one after another as device 0 of a state, which is cleared in between."""
            clear = not continues or number > 0
            for start, stop in pairwise(offsets[first : last + 1].tolist()):
                if clear:
                    kernel.release(states[number], 0)
                clear = True
                take(self._plan, states[number], devices, times, values, start, stop, out, status)

        _in_threads(work, shares, threads)
        self._last = states[-1]
        return out


def _read_only(array: Array) -> Array:
    """Return a view that cannot be written: numba compiles a kernel again for arrays that can."""
    view = array.view()
    view.flags.writeable = False
    return view


def _in_threads(work: Callable[[int, int, int], None], shares: list[tuple[int, int]], threads: int) -> None:
    """Call with the number of each share, its first device and the one after its last."""
    if len(shares) == 1:
        work(0, *shares[0])
    elif shares:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(len(shares)), *zip(*shares, strict=True)))


def _shares(offsets: Ints, threads: int) -> list[tuple[int, int]]:
    """Divide the devices into runs of about equal size, more runs than threads for load balancing."""
    runs = threads * 4 if threads > 1 else 1
    cuts = np.searchsorted(offsets, np.linspace(0, offsets[-1], runs + 1)[1:-1])
    return list(pairwise(np.unique([0, *cuts.tolist(), len(offsets) - 1]).tolist()))
