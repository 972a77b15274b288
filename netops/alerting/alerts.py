"""Compute the alerts of complete sequences with the alert state machine."""

from dataclasses import dataclass

import numpy as np

from netops.alerting.machine import CLOSED, EXPIRED, NOTHING, OPENED, RENEWED, STATE, step
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Flags, Floats, Integers
from netops.kernels import kernel


@dataclass(frozen=True)
class Alerts:
    """Alerts, sorted by device and opening.

    Attributes
    ----------
    device : int64 array
        Index of the device in the sequences.
    opened, closed : int64 array
        Nanoseconds since the epoch; for an open alert, ``closed`` is the time of the device's last sample.
    peak : float64 array
        Maximum risk since the first sample at or above the threshold.
    peak_at : int64 array
        Time of the peak.
    still_open : bool array
        Whether the alert is open at the end of the sequences.
    """

    device: Integers
    opened: Integers
    closed: Integers
    peak: Floats
    peak_at: Integers
    still_open: Flags

    def __len__(self) -> int:
        """Return the number of alerts."""
        return len(self.opened)


def open_alerts(
    policy: AlertPolicy, offsets: Integers, timestamps: Integers, risks: Floats, failed: Flags | None = None
) -> Alerts:
    """Return the alerts that a policy opens for a series of risks.

    Parameters
    ----------
    policy : AlertPolicy
        The rule that opens and closes alerts.
    offsets : int64 array, devices + 1
        Device i has the rows offsets[i]:offsets[i + 1].
    timestamps : int64 array, rows
        Increasing within a device.
    risks : float64 array, rows
        NaN: not scored; neither opens nor closes an alert.
    failed : bool array, rows, optional
        Whether the row is inside an incident: an open alert closes when it starts, and none opens before its end.
    """
    risks = np.ascontiguousarray(risks, dtype=np.float64)
    failed = np.zeros(len(risks), dtype=np.bool_) if failed is None else failed
    found, still_open = _replay(
        np.zeros(1, dtype=STATE),
        offsets,
        timestamps,
        risks,
        failed,
        policy.threshold,
        policy.close_level,
        policy.for_samples,
        policy.cooldown,
        policy.expires_after,
    )
    times, peak = found
    return Alerts(times[:, 0], times[:, 1], times[:, 2], peak, times[:, 3], still_open)


@kernel
def _replay(fresh, offsets, timestamps, risks, failed, threshold, close_level, for_samples, cooldown, expire):  # type: ignore[no-untyped-def]
    limit = _max_alerts(offsets, timestamps, for_samples, expire)
    times = np.empty((limit, 4), dtype=np.int64)
    peaks = np.empty(limit)
    still_open = np.zeros(limit, dtype=np.bool_)
    count = 0
    for device in range(len(offsets) - 1):
        states = fresh.copy()
        state = states[0]
        for row in range(offsets[device], offsets[device + 1]):
            time = timestamps[row]
            peak_at, peak = state.peak_at, state.peak
            happened = step(
                state, time, risks[row], failed[row], threshold, close_level, for_samples, cooldown, expire
            )
            if happened == NOTHING:
                continue
            if happened in (CLOSED, EXPIRED, RENEWED):
                times[count, 2], times[count, 3], peaks[count] = time, peak_at, peak
                count += 1
            if happened in (OPENED, RENEWED):
                times[count, 0], times[count, 1] = device, time
        if state.is_open == 1:
            times[count, 2], times[count, 3], peaks[count] = state.last, state.peak_at, state.peak
            still_open[count] = True
            count += 1
    return (times[:count].copy(), peaks[:count].copy()), still_open[:count].copy()


@kernel
def _max_alerts(offsets, timestamps, for_samples, expire):  # type: ignore[no-untyped-def]
    """Return an upper bound of the number of alerts.

    Each alert needs ``for_samples`` rows to open and one more to close, or the time to expire.
    """
    limit = len(offsets)
    for device in range(len(offsets) - 1):
        first, rows = offsets[device], offsets[device + 1] - offsets[device]
        if rows > 0:
            span = timestamps[first + rows - 1] - timestamps[first]
            limit += min(rows, rows // (for_samples + 1) + span // max(expire, 1))
    return limit
