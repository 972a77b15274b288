"""Devices by name and by code: each known device holds one small dense code, the least recently seen go first."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

#: Share of the places that is freed at once when all are taken: looking for the oldest costs a pass over all.
_FREED = 64


class DeviceTable:
    """Names, codes and places of the devices.

    Parameters
    ----------
    capacity : int
        Most devices held.

    Attributes
    ----------
    names : list of str or None
        By code; None where a code is free.
    places : list of (company, data center)
        By code; None where it is not known.
    evicted : int
        Devices dropped to make room, ever.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.names: list[str | None] = []
        self.places: list[tuple[str | None, str | None]] = []
        self.evicted = 0
        self._codes: dict[str, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._codes)

    def code(self, name: str) -> int | None:
        """Find a device's code."""
        return self._codes.get(name)

    def codes(self) -> list[int]:
        """List the codes in use, in the order in which the devices were first seen."""
        return list(self._codes.values())

    def missing(self, names: Sequence[str | None]) -> int:
        """Count the devices among these that hold no code."""
        return len({name for name in names if name not in self._codes})

    def take(self, names: Sequence[str]) -> Integers:
        """Give each name its code; there must be room for those that are new."""
        get = self._codes.get
        found = [get(name, -1) for name in names]
        if -1 in found:
            found = [self._add(name) if code < 0 else code for name, code in zip(names, found, strict=True)]
        return np.array(found, dtype=np.int64)

    def move(self, code: int, company: str | None, data_center: str | None) -> None:
        """Note where a device stands; what is not said stays as it was."""
        before = self.places[code]
        if (company and company != before[0]) or (data_center and data_center != before[1]):
            self.places[code] = (company or before[0], data_center or before[1])

    def oldest(self, arrival: Integers, wanted: int, spare: Sequence[str | None]) -> list[int]:
        """Choose the devices to drop so that ``wanted`` more find room.

        Parameters
        ----------
        arrival : int64 array, by code
            When each device was last seen.
        wanted : int
            Places needed.
        spare : sequence of str
            Devices that are about to be seen, and stay.
        """
        short = len(self._codes) + wanted - self.capacity
        if short <= 0:
            return []
        spared = {self._codes[name] for name in spare if name in self._codes}
        candidates = np.array([code for code in self._codes.values() if code not in spared], dtype=np.int64)
        count = min(len(candidates), max(short, self.capacity // _FREED))
        return candidates[np.argsort(arrival[candidates], kind="stable")[:count]].tolist()

    def drop(self, codes: Sequence[int]) -> None:
        """Free codes."""
        for code in codes:
            name = self.names[code]
            if name is not None:
                del self._codes[name]
                self.names[code], self.places[code] = None, (None, None)
                self._free.append(code)

    def _add(self, name: str) -> int:
        if (known := self._codes.get(name)) is not None:
            return known
        if self._free:
            code = self._free.pop()
            self.names[code], self.places[code] = name, (None, None)
        else:
            code = len(self.names)
            self.names.append(name)
            self.places.append((None, None))
        self._codes[name] = code
        return code
