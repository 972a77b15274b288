"""Streaming version of :func:`netops.telemetry.columns.counters.rates`, a few rows at a time."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from netops.config.durations import SECOND
from netops.kernels import kernel

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_NEVER = np.iinfo(np.int64).min


class CounterRates:
    """Convert the counters among the metrics of many devices into rates per second.

    Parameters
    ----------
    metrics : sequence of str
        The columns that :meth:`update` receives, in order.
    counters : sequence of str
        The metrics that are counters.
    """

    def __init__(self, metrics: Sequence[str], counters: Sequence[str]) -> None:
        self._counters = tuple(name for name in counters if name in metrics)
        self._positions = np.array([metrics.index(name) for name in self._counters], np.int64)
        self._latest = np.empty(0, np.int64)
        self._times = np.empty((0, len(self._positions)), np.int64)
        self._counts = np.empty((0, len(self._positions)))

    def update(self, devices: Int64, timestamps: Int64, values: Float64) -> Float64:
        """Convert rows in the order of arrival.

        Parameters
        ----------
        devices : int64 array, n
            Dense codes from 0.
        timestamps : int64 array, n
            Nanoseconds.
        values : float64 array, n × metrics
            NaN where a metric is missing.

        Returns
        -------
        float64 array, n × metrics
            A copy with the counters as rates: NaN for the first value of a device, and in rows that are not later
            than all before them, which change nothing.
        """
        result = np.array(values, np.float64)
        if len(self._positions) and len(devices):
            self._grow(int(np.max(devices)) + 1)
            _update(devices, timestamps, result, self._positions, self._latest, self._times, self._counts)
        return result

    def reorder(self, metrics: Sequence[str]) -> None:
        """Continue with columns in another order, which contain all counters."""
        self._positions = np.array([metrics.index(name) for name in self._counters], np.int64)

    def save(self, device: int) -> bytes:
        """Return the state of one device; empty where there is none."""
        if device >= len(self._latest) or self._latest[device] == _NEVER:
            return b""
        return self._latest[device].tobytes() + self._times[device].tobytes() + self._counts[device].tobytes()

    def restore(self, device: int, buffer: bytes) -> None:
        """Restore the state of one device.

        Raises
        ------
        ValueError
            If it was saved with other counters.
        """
        width = len(self._positions)
        if not buffer:
            self.forget(device)
            return
        if len(buffer) != 8 * (1 + 2 * width):
            raise ValueError("the state was saved with other counters")
        self._grow(device + 1)
        whole = np.frombuffer(buffer, np.int64, 1 + width)
        self._latest[device], self._times[device] = whole[0], whole[1:]
        self._counts[device] = np.frombuffer(buffer, np.float64, width, 8 * (1 + width))

    def forget(self, device: int) -> None:
        """Drop the state of one device."""
        if device < len(self._latest):
            self._latest[device] = self._times[device] = _NEVER

    def _grow(self, devices: int) -> None:
        missing = devices - len(self._latest)
        if missing > 0:
            missing = max(missing, len(self._latest))
            width = len(self._positions)
            self._latest = np.concatenate([self._latest, np.full(missing, _NEVER)])
            self._times = np.concatenate([self._times, np.full((missing, width), _NEVER)])
            self._counts = np.concatenate([self._counts, np.full((missing, width), np.nan)])


@kernel
def _update(devices, timestamps, values, indices, latest, times, counts):  # type: ignore[no-untyped-def]
    for row in range(len(devices)):
        device, now = devices[row], timestamps[row]
        late = now <= latest[device]
        if not late:
            latest[device] = now
        for counter in range(len(indices)):
            count = values[row, indices[counter]]
            values[row, indices[counter]] = np.nan
            if late or np.isnan(count):
                continue
            before = times[device, counter]
            if before != _NEVER:
                increase = count - counts[device, counter]
                if increase < 0:  # the counter was reset
                    increase = count
                values[row, indices[counter]] = increase / ((now - before) / SECOND)
            times[device, counter], counts[device, counter] = now, count
