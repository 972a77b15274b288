"""The feature engine: from samples to feature vectors, one micro-batch or one sample at a time."""

import numpy as np
import numpy.typing as npt

from netops.config.durations import DAY
from netops.errors import NetopsError, UsageError
from netops.features import kernel, saved
from netops.features.baseline import HALVES
from netops.features.kernel import DUPLICATE, LATE, REJECTED, SCORED
from netops.features.memory import add_devices, add_pages, make_state, plan_of, size_of, take
from netops.features.spec import LONGEST_WINDOW, FeatureSpec

__all__ = ["DUPLICATE", "LATE", "REJECTED", "SCORED", "FeatureEngine"]


class FeatureEngine:
    """Compute features over sliding windows of many devices.

    Features depend only on the samples of the device in the windows, not on the batches; those relative to its
    baseline depend on all samples of the device.
    With an allowed lateness, samples may be out of order: returned features are final; later features
    are bit-identical to those of samples in order.

    Statuses: ``SCORED``; ``DUPLICATE`` (the device has a sample with this time, no older than its longest window
    and the allowed lateness together); ``LATE`` (another sample older than the newest of its device minus the
    allowed lateness); ``REJECTED`` (a time before 1970 or after 2115). Samples that are not scored have NaN
    features and are not stored.

    A late sample costs a walk over the longest window of its device, about 50 ns per sample and metric.

    Memory: per device ``13 · W · F · M · 8`` bytes and per sample of the longest window (plus lateness)
    ``8 · (1 + M + W · F · M / 32)``, for M metrics, W windows, F = 6 fields (sum +1, slope +3, last_change +4,
    one per threshold): it grows with the samples in a window, so with its length and the sampling rate.

    Not thread-safe; use one engine per thread.

    Parameters
    ----------
    spec : FeatureSpec
        The features.
    allowed_lateness : int
        How much older than the newest sample of its device a sample may be, in ns.

    Raises
    ------
    UsageError
        If the allowed lateness is below zero or longer than the maximum window.
    """

    def __init__(self, spec: FeatureSpec, allowed_lateness: int = 0) -> None:
        if not 0 <= allowed_lateness <= LONGEST_WINDOW:
            raise UsageError(
                f"allowed lateness of {allowed_lateness} ns: must be from zero to {LONGEST_WINDOW // DAY}d"
            )
        self.spec = spec
        self.allowed_lateness = allowed_lateness
        self._metrics, self._width, self._columns = len(spec.metrics), spec.width, spec.columns
        self._plan = plan_of(spec, allowed_lateness)
        self._state = make_state(self._plan, self._metrics)
        self._device, self._time = np.zeros(1, np.int64), np.zeros(1, np.int64)
        self._status = np.zeros(1, np.uint8)

    def update(
        self, devices: npt.NDArray[np.int64], timestamps: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
        """Add samples of any devices in the order of arrival.

        Parameters
        ----------
        devices : int64 array, n
            Dense codes from 0: the memory grows with the largest code.
        timestamps : int64 array, n
            Nanoseconds since the epoch, UTC.
        values : float64 array, n × metrics
            NaN, infinite and extreme values (beyond 1e150) are missing values.

        Returns
        -------
        features : float64 array, n × len(spec.names)
        status : uint8 array, n

        Raises
        ------
        NetopsError
            If the shapes do not fit or a code is negative.
        """
        devices = np.ascontiguousarray(devices, np.int64)
        timestamps = np.ascontiguousarray(timestamps, np.int64)
        values = np.ascontiguousarray(values, np.float64)
        count = len(timestamps)
        if values.shape != (count, self._metrics) or devices.shape != (count,) or timestamps.ndim != 1:
            raise NetopsError(
                f"samples do not fit: {devices.shape} devices, {timestamps.shape} times and {values.shape} values "
                f"for {self._metrics} metrics"
            )
        out, status = np.empty((count, self._width)), np.empty(count, np.uint8)
        if count:
            self._know(int(devices.min()), int(devices.max()))
            take(self._plan, self._state, devices, timestamps, values, 0, count, out, status)
        return out if self._columns is None else out[:, self._columns], status

    def update_one(
        self, device: int, timestamp: int, values: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], int]:
        """Add one sample; return features (float64 array) and status as :meth:`update` does."""
        row = np.ascontiguousarray(values, np.float64).reshape(1, -1)
        if row.shape[1] != self._metrics:
            raise NetopsError(f"a sample has {row.shape[1]} values for {self._metrics} metrics")
        out = np.empty((1, self._width))
        self._know(device, device)
        # Times that exceed int64 are rejected like those outside the range of the kernel.
        self._device[0], self._time[0] = device, min(max(timestamp, -1), kernel.LAST_TIME)
        take(self._plan, self._state, self._device, self._time, row, 0, 1, out, self._status)
        return out[0] if self._columns is None else out[0, self._columns], int(self._status[0])

    def _know(self, lowest: int, highest: int) -> None:
        if lowest < 0:
            raise NetopsError(f"device code {lowest} is negative")
        if highest >= len(self._state.marks):
            add_devices(self._plan, self._state, highest + 1)

    def has(self, device: int) -> bool:
        """Return whether a device has samples."""
        return 0 <= device < len(self._state.marks) and bool(self._state.marks[device, kernel.LAST] >= 0)

    def devices(self) -> npt.NDArray[np.int64]:
        """Return the codes of the devices that have samples."""
        return np.flatnonzero(self._state.marks[:, kernel.LAST] >= 0)

    def newest(self, device: int) -> int | None:
        """Return the time of the newest sample of a device, None if it has none."""
        return int(self._state.marks[device, kernel.NEWEST]) if self.has(device) else None

    def samples(self, device: int) -> int:
        """Count the stored samples of a device."""
        return int(kernel.count(self._state, device, -1)) if self.has(device) else 0

    def forget(self, device: int) -> None:
        """Remove the state of a device; its memory is reused."""
        if self.has(device):
            kernel.release(self._state, device)

    def save(self, device: int, since: int | None = None) -> bytes:
        """Write the state of a device as plain bytes: a header and the raw samples of its windows.

        Parameters
        ----------
        device : int
        since : int, optional
            Only the samples after this time (ns): a delta to a state that was written before.
        """
        newest = self.newest(device)
        times = np.empty(0, np.int64)
        if newest is not None:
            first = newest - self.history if since is None else max(since, newest - self.history)
            times = np.empty(kernel.count(self._state, device, first), np.int64)
        values = np.empty((len(times), self._metrics))
        if len(times):
            kernel.copy_out(self._state, device, times, values)
        if not self.spec.has_baseline:
            return saved.pack(self.spec, self.history, times, values)
        before = np.zeros((1, self._state.baselines.shape[1]))
        if newest is not None:
            kernel.baselines_before(self._plan, self._state, device, len(times), before)
        return saved.pack(self.spec, self.history, times, values, self._half_life, before)

    def restore(self, device: int, buffer: bytes | bytearray | memoryview) -> None:
        """Restore the state of a device from the output of :meth:`save`; its current state is replaced.

        The windows and statistics may differ from those of the engine that saved the state, as long as the
        sum of longest window and lateness is not greater. Baselines of another longest window, or none in the
        state, start again with its samples.

        Raises
        ------
        NetopsError
            If the buffer is damaged, of other metrics, of a later version, or covers too short a time.
        """
        found = saved.read(self.spec, self.history, buffer)
        self._know(device, device)
        self.forget(device)
        add_pages(self._plan, self._state, len(found.times) // kernel.CHUNK + 1)
        before = np.zeros((1, self._state.baselines.shape[1]))
        if before.size and found.half_life == self._half_life:
            before[0] = found.baselines
        kernel.copy_in(self._plan, self._state, device, found.times, found.values, before)

    def extend(self, device: int, since: int, buffer: bytes | bytearray | memoryview) -> None:
        """Add the samples that :meth:`save` wrote with ``since`` to a restored device; later ones are replaced.

        Raises
        ------
        NetopsError
            If the buffer is damaged, of other metrics, or of a later version.
        """
        more = saved.read(self.spec, 0, buffer)
        newest = self.newest(device)
        if len(more.times) and since < more.times[-1] - more.history and more.history >= self.history:
            # Samples after ``since`` have left the history: the buffer is complete, baselines included.
            self.restore(device, buffer)
            return
        if newest is None or newest <= since:
            self._know(device, device)
            self.update(np.full(len(more.times), device, dtype=np.int64), more.times, more.values)
            return
        known = saved.read(self.spec, 0, self.save(device))
        earlier = known.times <= since
        times = np.concatenate([known.times[earlier], more.times])
        values = np.concatenate([known.values[earlier], more.values])
        baselines = known.baselines if self.spec.has_baseline else None
        self.restore(device, saved.pack(self.spec, self.history, times, values, known.half_life, baselines))

    def save_all(self) -> bytes:
        """Write the states of all devices, with their codes."""
        return saved.pack_all((int(device), self.save(int(device))) for device in self.devices())

    def restore_all(self, buffer: bytes | bytearray | memoryview) -> None:
        """Replace the states of all devices by those in the output of :meth:`save_all`."""
        states = list(saved.unpack_all(buffer))
        self._state = make_state(self._plan, self._metrics)
        for device, state in states:
            self.restore(device, state)

    @property
    def history(self) -> int:
        """Time range of stored raw samples before the newest of a device, in ns."""
        return self.spec.longest_window + self.allowed_lateness

    @property
    def _half_life(self) -> int:
        return HALVES * self.spec.longest_window

    @property
    def nbytes(self) -> int:
        """Memory of the states in bytes."""
        return size_of(self._state)
