"""Features of stored samples: a replay of the streaming kernel, device by device."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.features import kernel
from netops.features.kernel import Floats, Ints, State
from netops.features.memory import add_devices, make_state, plan_of, take
from netops.features.spec import FeatureSpec


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
        self._plan = plan_of(spec)
        self._last = self._make_state()
        self._rows = 0

    def _make_state(self) -> State:
        state = make_state(self._plan, len(self.spec.metrics))
        add_devices(self._plan, state, 1)
        return state

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
        piece = self._piece(timestamps, values)
        self._check(offsets, piece)
        shares = _shares(offsets, self.threads)
        states = [self._last, *(self._make_state() for _ in shares[1:])]

        def work(number: int) -> None:
            first, last = shares[number]
            self._replay(states[number], offsets[first : last + 1], piece, continues and number == 0)

        if len(shares) == 1:
            work(0)
        elif shares:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(work, range(len(shares))))
        self._check_order(piece)
        self._last = states[-1]
        self._rows += len(timestamps)
        return piece.out if self.spec.columns is None else piece.out[:, self.spec.columns]

    def _piece(self, timestamps: Ints, values: Floats) -> "_Piece":
        count = len(timestamps)
        return _Piece(
            np.zeros(count, np.int64),
            np.ascontiguousarray(timestamps, np.int64),
            np.ascontiguousarray(values, np.float64),
            np.empty((count, self.spec.width)),
            np.empty(count, np.uint8),
        )

    def _check(self, offsets: Ints, piece: "_Piece") -> None:
        count, metrics, shape = len(piece.times), len(self.spec.metrics), piece.values.shape
        whole = len(offsets) and offsets[0] == 0 and offsets[-1] == count and (np.diff(offsets) >= 0).all()
        if shape != (count, metrics) or not whole:
            raise NetopsError(f"samples do not fit: {count} times, {shape} values for {metrics} metrics")

    def _replay(self, state: State, offsets: Ints, piece: "_Piece", continues: bool) -> None:
        """Replay the devices one after another as device 0 of a state, which is cleared in between."""
        for start, stop in pairwise(offsets.tolist()):
            if not continues:
                kernel.release(state, 0)
            continues = False
            take(self._plan, state, piece.devices, piece.times, piece.values, start, stop, piece.out, piece.status)

    def _check_order(self, piece: "_Piece") -> None:
        wrong = np.flatnonzero(piece.status != kernel.SCORED)
        if len(wrong):
            row = int(wrong[0])
            early = piece.status[row] == kernel.REJECTED
            what = "before 1970 or after 2115" if early else "not after the one before it"
            raise NetopsError(
                f"row {self._rows + row}: time {piece.times[row]} ns is {what}; sort the samples by device and time"
            )


class _Piece(NamedTuple):
    devices: Ints
    times: Ints
    values: Floats
    out: Floats
    status: npt.NDArray[np.uint8]


def _shares(offsets: Ints, threads: int) -> list[tuple[int, int]]:
    """Divide the devices into runs of about equal size, more runs than threads for load balancing."""
    runs = threads * 4 if threads > 1 else 1
    cuts = np.searchsorted(offsets, np.linspace(0, offsets[-1], runs + 1)[1:-1])
    return list(pairwise(np.unique([0, *cuts.tolist(), len(offsets) - 1]).tolist()))
