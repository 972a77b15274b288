"""Streaming alerts: the alert state machine with the state of many devices."""

import numpy as np
import numpy.typing as npt

from netops.alerting.machine import CLOSED, EXPIRED, NOTHING, OPENED, RENEWED, STATE, step
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Flags, Floats, Integers
from netops.errors import NetopsError
from netops.kernels import kernel

__all__ = ["CLOSED", "EVENT", "EXPIRED", "OPENED", "RENEWED", "AlertTracker"]

#: An event at one sample. ``kind`` is OPENED, CLOSED, EXPIRED or RENEWED; ``row`` is the index in the batch, ``at``
#: the event time, ``below_since`` the time since which the risk is below the close level (``at`` if it is not). The
#: other fields describe the alert that opened or ended; for RENEWED, the one that ended.
EVENT = np.dtype(
    [
        ("row", np.int64),
        ("device", np.int64),
        ("kind", np.int64),
        ("at", np.int64),
        ("below_since", np.int64),
        ("opened", np.int64),
        ("peak_at", np.int64),
        ("peak", np.float64),
    ],
    align=True,
)


class AlertTracker:
    """Opens and closes the alerts of many devices, at most one open alert per device.

    Parameters
    ----------
    policy : AlertPolicy
        May be replaced between updates, since a new champion has its own threshold; open alerts stay open until
        they have cooled down by the new policy.
    devices : int
        Number of devices to allocate; more are allocated on demand.
    """

    def __init__(self, policy: AlertPolicy, devices: int = 0) -> None:
        self.policy = policy
        self._states = np.zeros(devices, dtype=STATE)
        self._open = 0

    def update(
        self, devices: Integers, timestamps: Integers, risks: Floats, failed: Flags | None = None
    ) -> npt.NDArray[np.void]:
        """Process a batch of samples in order of arrival.

        Parameters
        ----------
        devices : int64 array
            Small dense codes.
        timestamps : int64 array
            Event times; a sample not newer than the device's last one is ignored.
        risks : float64 array
            NaN if a sample was not scored.
        failed : bool array, optional
            Whether the device is inside a known incident.

        Returns
        -------
        array of ``EVENT``
            Openings and closings, in order.
        """
        if len(devices) == 0:
            return np.zeros(0, dtype=EVENT)
        self._allocate(int(devices[0] if len(devices) == 1 else devices.max()) + 1)
        failed = np.zeros(len(devices), dtype=np.bool_) if failed is None else failed
        events = np.zeros(len(devices), dtype=EVENT)
        policy = self.policy
        rule = (policy.threshold, policy.close_level, policy.for_samples, policy.cooldown, policy.expires_after)
        count = _update(self._states, events, devices, timestamps, np.asarray(risks, np.float64), failed, *rule)
        if count == 0:
            return events[:0]
        kinds = events["kind"][:count]
        self._open += int((kinds == OPENED).sum()) - int(((kinds == CLOSED) | (kinds == EXPIRED)).sum())
        return events[:count]

    @property
    def any_open(self) -> bool:
        """Whether the alert of any device is open."""
        return self._open > 0

    def open(self) -> Integers:
        """Return the devices with an open alert."""
        return np.flatnonzero(self._states["is_open"])

    def is_open(self, devices: Integers) -> Flags:
        """Return whether each device has an open alert; unknown devices have none."""
        known = devices < len(self._states)
        return known & (self._states["is_open"][np.where(known, devices, 0)] == 1) if len(self._states) else known

    def peak(self, device: int) -> tuple[float, int]:
        """Return the maximum risk of a device's open alert, and its time."""
        state = self._states[device]
        return float(state["peak"]), int(state["peak_at"])

    def forget(self, device: int) -> None:
        """Reset the state of a device, so that its code can be reused."""
        if device < len(self._states):
            self._open -= int(self._states["is_open"][device])
            self._states[device] = np.zeros((), dtype=STATE)

    def save(self) -> bytes:
        """Return the state of all devices as bytes."""
        return self._states.tobytes()

    def restore(self, buffer: bytes) -> None:
        """Restore the state that ``save`` returned.

        Raises
        ------
        NetopsError
            If the length of the buffer is not a multiple of the state size.
        """
        if len(buffer) % STATE.itemsize:
            raise NetopsError(f"alert state of {len(buffer)} bytes is damaged: not a multiple of {STATE.itemsize}")
        self._states = np.frombuffer(buffer, dtype=STATE).copy()
        self._open = len(self.open())

    @property
    def nbytes(self) -> int:
        """Memory of the state, in bytes."""
        return int(self._states.nbytes)

    def _allocate(self, devices: int) -> None:
        if devices > len(self._states):
            grown = np.zeros(max(devices, 2 * len(self._states), 16), dtype=STATE)
            grown[: len(self._states)] = self._states
            self._states = grown


@kernel
def _update(  # type: ignore[no-untyped-def]
    states, events, devices, timestamps, risks, failed, threshold, close_level, for_samples, cooldown, expire
):
    count = 0
    for row in range(len(devices)):
        state = states[devices[row]]
        opened, peak_at, peak = state.opened, state.peak_at, state.peak
        happened = step(
            state, timestamps[row], risks[row], failed[row], threshold, close_level, for_samples, cooldown, expire
        )
        if happened == OPENED:
            opened, peak_at, peak = state.opened, state.peak_at, state.peak
        if happened != NOTHING:
            event = events[count]
            event.row, event.device, event.kind, event.at = row, devices[row], happened, timestamps[row]
            event.below_since = state.below_since if state.cooling == 1 else timestamps[row]
            event.opened, event.peak_at, event.peak = opened, peak_at, peak
            count += 1
    return count
