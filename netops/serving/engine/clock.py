"""The event-time clock of a network, computed from the event times of its devices.

The network time is the (lower) median of the newest event times of the recently seen devices. A device whose clock
is ahead or behind shifts the median by at most one rank; half of the devices must agree before the network time
follows. "Recently" is measured in samples, not in seconds: a stale device is excluded once each other device has
sent about twenty more samples.
"""

import numpy as np
import numpy.typing as npt

from netops.serving.engine.state_kernels import observe

Integers = npt.NDArray[np.int64]

#: A device counts as recently seen until this many samples per device have arrived since its last one.
RECENT = 20
#: Minimum number of samples for a device to count as real, not as a misspelt name.
KNOWN = 3
#: The time before any sample.
NEVER = -1
_NONE = np.zeros(0, dtype=np.int64)


class NetworkClock:
    """Newest event time and last arrival of each device, and the resulting network time.

    Parameters
    ----------
    devices : int
        Maximum number of devices, by small dense code.
    silent_after : int
        Age (ns) of a device's newest sample, by network time, from which the device is stale.
    """

    def __init__(self, devices: int, silent_after: int) -> None:
        self.silent_after = silent_after
        self.newest = np.full(devices, NEVER, dtype=np.int64)
        self.arrival = np.full(devices, NEVER, dtype=np.int64)
        self.sample_counts = np.zeros(devices, dtype=np.int64)
        self.silent = np.zeros(devices, dtype=np.bool_)
        self.now = NEVER
        self.arrivals = 0
        self._next_update = 0  # at this many arrivals
        self._used = 0

    def observe(self, codes: Integers, timestamps: Integers) -> Integers:
        """Process samples in order of arrival; return the stale devices that have recovered.

        The network time is recomputed after every (devices / 8) samples.
        """
        if len(codes) == 0:
            return codes
        highest, any_silent = observe(
            self.newest, self.arrival, self.sample_counts, self.silent, codes, timestamps, self.arrivals
        )
        self._used = max(self._used, highest + 1)
        self.arrivals += len(codes)
        recovered = np.unique(codes[self.silent[codes]]) if any_silent else _NONE
        self.silent[recovered] = False
        if self.arrivals >= self._next_update:
            self.update_time()
        return recovered

    def update_time(self) -> None:
        """Recompute the network time."""
        recent = self.recently_seen()
        self.now = median(self.newest[: self._used][recent]) if recent.any() else self.now
        self._next_update = self.arrivals + max(1, int(recent.sum()) // 8)

    def recently_seen(self) -> npt.NDArray[np.bool_]:
        """Mark the recently seen devices, for all codes in use."""
        arrival = self.arrival[: self._used]
        seen = arrival >= 0
        oldest = self.arrivals - RECENT * max(int(seen.sum()), 1)
        return seen & (arrival >= oldest)

    def time_with(self, codes: Integers, timestamps: Integers) -> int:
        """Return what the network time would be with these samples."""
        newest, arrival = self.newest.copy(), self.arrival.copy()
        np.maximum.at(newest, codes, timestamps)
        arrival[codes] = self.arrivals
        used = max(self._used, int(codes.max(initial=-1)) + 1)
        recent = arrival[:used] >= self.arrivals - RECENT * max(int((arrival[:used] >= 0).sum()), 1)
        return median(newest[:used][recent & (arrival[:used] >= 0)])

    def find_stale(self) -> Integers:
        """Return the devices that have become stale, and mark them.

        A recently seen device is not stale: its clock is behind. A device with only one or two samples is ignored,
        since it may be a misspelt name.
        """
        newest, known = self.newest[: self._used], self.sample_counts[: self._used] >= KNOWN
        stale = known & ~self.silent[: self._used] & (newest < self.now - self.silent_after) & ~self.recently_seen()
        found = np.flatnonzero(stale)
        self.silent[found] = True
        return found

    def set_back(self, code: int, newest: int) -> None:
        """Reset the newest event time of a device."""
        self.newest[code] = newest

    def restore_device(self, code: int, newest: int, arrival: int, silent: bool, samples: int = KNOWN) -> None:
        """Restore a device from a snapshot."""
        self._used = max(self._used, code + 1)
        self.newest[code], self.arrival[code], self.silent[code] = newest, arrival, silent
        self.sample_counts[code] = samples

    def forget(self, codes: Integers) -> None:
        """Remove devices; their codes may be reused."""
        self.newest[codes] = NEVER
        self.arrival[codes] = NEVER
        self.sample_counts[codes] = 0
        self.silent[codes] = False


def median(times: Integers) -> int:
    """Return the lower median of event times; ``NEVER`` if there are none."""
    middle = (len(times) - 1) // 2
    return int(np.partition(times, middle)[middle]) if len(times) else NEVER
