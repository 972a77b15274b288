"""What time it is in a network, told by its devices' event times alone.

The time of the network is the (lower) median of the newest event times of the devices heard of lately. A device
whose clock runs ahead, or behind, moves the median by one place at most; half of the devices must agree before the
network's time follows them. "Lately" is counted in samples, not in seconds: a device that falls silent drops out
once each other one has been heard of some twenty times more.
"""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

#: A device counts as heard of lately while fewer than this many samples a device have come in since.
PATIENCE = 20
#: A device that was heard of this often is known to be there.
KNOWN = 3
#: The time before any sample.
NEVER = -1
_NONE = np.zeros(0, dtype=np.int64)


class NetworkClock:
    """Newest event time and last arrival of each device, and the network's time made of them.

    Parameters
    ----------
    devices : int
        Most devices, by small dense code.
    silent_after : int
        How far (ns) the network's time must be past a device's newest sample for the device to be silent.
    """

    def __init__(self, devices: int, silent_after: int) -> None:
        self.silent_after = silent_after
        self.newest = np.full(devices, NEVER, dtype=np.int64)
        self.arrival = np.full(devices, NEVER, dtype=np.int64)
        self.heard = np.zeros(devices, dtype=np.int64)
        self.silent = np.zeros(devices, dtype=np.bool_)
        self.now = NEVER
        self.arrivals = 0
        self._next_look = 0  # at this many arrivals
        self._used = 0

    def hear(self, codes: Integers, timestamps: Integers) -> Integers:
        """Take samples in, in order of arrival; give the silent devices that speak again.

        The network's time is looked at again once an eighth of the devices may have moved.
        """
        if len(codes) == 0:
            return codes
        self._used = max(self._used, int(codes.max()) + 1)
        np.maximum.at(self.newest, codes, timestamps)
        self.arrival[codes] = np.arange(self.arrivals, self.arrivals + len(codes))
        self.arrivals += len(codes)
        np.add.at(self.heard, codes, 1)
        silent = self.silent[codes]
        back = np.unique(codes[silent]) if silent.any() else _NONE
        self.silent[back] = False
        if self.arrivals >= self._next_look:
            self.look()
        return back

    def look(self) -> None:
        """Tell the time anew."""
        lately = self.lately()
        self.now = _median(self.newest[: self._used][lately]) if lately.any() else self.now
        self._next_look = self.arrivals + max(1, int(lately.sum()) // 8)

    def lately(self) -> npt.NDArray[np.bool_]:
        """Mark the devices heard of lately, of all codes in use."""
        arrival = self.arrival[: self._used]
        heard = arrival >= 0
        oldest = self.arrivals - PATIENCE * max(int(heard.sum()), 1)
        return heard & (arrival >= oldest)

    def would_be(self, codes: Integers, timestamps: Integers) -> int:
        """Tell what time it would be once these samples were in."""
        newest, arrival = self.newest.copy(), self.arrival.copy()
        np.maximum.at(newest, codes, timestamps)
        arrival[codes] = self.arrivals
        used = max(self._used, int(codes.max(initial=-1)) + 1)
        heard = arrival[:used] >= self.arrivals - PATIENCE * max(int((arrival[:used] >= 0).sum()), 1)
        return _median(newest[:used][heard & (arrival[:used] >= 0)])

    def fall_silent(self) -> Integers:
        """Give the devices that are silent from now on.

        One that was heard of lately has a clock that is behind; one that was heard of only once or twice is a
        misspelt name rather than a device.
        """
        newest, known = self.newest[: self._used], self.heard[: self._used] >= KNOWN
        quiet = known & ~self.silent[: self._used] & (newest < self.now - self.silent_after) & ~self.lately()
        found = np.flatnonzero(quiet)
        self.silent[found] = True
        return found

    def set_back(self, code: int, newest: int) -> None:
        """Take back what a device claimed its time to be."""
        self.newest[code] = newest

    def recall(self, code: int, newest: int, arrival: int, silent: bool, heard: int = KNOWN) -> None:
        """Take a device up again from a snapshot."""
        self._used = max(self._used, code + 1)
        self.newest[code], self.arrival[code], self.silent[code] = newest, arrival, silent
        self.heard[code] = heard

    def forget(self, codes: Integers) -> None:
        """Drop devices; their codes may be given to others."""
        self.newest[codes] = NEVER
        self.arrival[codes] = NEVER
        self.heard[codes] = 0
        self.silent[codes] = False


def _median(times: Integers) -> int:
    middle = (len(times) - 1) // 2
    return int(np.partition(times, middle)[middle]) if len(times) else NEVER
