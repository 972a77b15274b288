"""Table of devices: each known device has a small dense code; the least recently seen are evicted first."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

#: 1/_FREED of the capacity is freed at once when the table is full, because finding the oldest scans all devices.
_FREED = 64


class DeviceTable:
    """Names, codes and locations of the devices.

    Parameters
    ----------
    capacity : int
        Maximum number of devices.

    Attributes
    ----------
    names : list of str or None
        By code; None if a code is free.
    locations : list of (company, data center)
        By code; None if unknown.
    evicted : int
        Total number of evicted devices.
    changes : int
        Number of devices that were added or removed.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.names: list[str | None] = []
        self.locations: list[tuple[str | None, str | None]] = []
        self.evicted = 0
        self.changes = 0
        self._codes: dict[str, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._codes)

    def code(self, name: str) -> int | None:
        """Return the code of a device, or None."""
        return self._codes.get(name)

    def codes(self) -> list[int]:
        """Return the codes in use, in the order in which the devices were first seen."""
        return list(self._codes.values())

    def missing(self, names: Sequence[str | None]) -> int:
        """Return how many of these devices have no code."""
        return len({name for name in names if name not in self._codes})

    def assign(self, names: Sequence[str]) -> Integers:
        """Return the code of each name; new devices get one, for which there must be capacity."""
        get = self._codes.get
        found = [get(name, -1) for name in names]
        if -1 in found:
            found = [self._add(name) if code < 0 else code for name, code in zip(names, found, strict=True)]
        return np.array(found, dtype=np.int64)

    def set_location(self, code: int, company: str | None, data_center: str | None) -> None:
        """Set the location of a device; empty values do not change it."""
        before = self.locations[code]
        if (company and company != before[0]) or (data_center and data_center != before[1]):
            self.locations[code] = (company or before[0], data_center or before[1])

    def oldest(self, arrival: Integers, wanted: int, spare: Sequence[str | None]) -> list[int]:
        """Return the devices to evict so that ``wanted`` more can be added.

        Parameters
        ----------
        arrival : int64 array, by code
            When each device was last seen.
        wanted : int
            Number of codes needed.
        spare : sequence of str
            Devices that must not be evicted.
        """
        excess = len(self._codes) + wanted - self.capacity
        if excess <= 0:
            return []
        spared = {self._codes[name] for name in spare if name in self._codes}
        candidates = np.array([code for code in self._codes.values() if code not in spared], dtype=np.int64)
        count = min(len(candidates), max(excess, self.capacity // _FREED))
        return candidates[np.argsort(arrival[candidates], kind="stable")[:count]].tolist()

    def drop(self, codes: Sequence[int]) -> None:
        """Remove devices and free their codes."""
        for code in codes:
            name = self.names[code]
            if name is not None:
                del self._codes[name]
                self.names[code], self.locations[code] = None, (None, None)
                self._free.append(code)
                self.changes += 1

    def _add(self, name: str) -> int:
        if (known := self._codes.get(name)) is not None:
            return known
        if self._free:
            code = self._free.pop()
            self.names[code], self.locations[code] = name, (None, None)
        else:
            code = len(self.names)
            self.names.append(name)
            self.locations.append((None, None))
        self._codes[name] = code
        self.changes += 1
        return code
