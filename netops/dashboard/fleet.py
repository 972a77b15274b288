"""The state of the fleet in the dashboard: the newest state of each device, and its risk history."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netops.dashboard.layout import ordered
from netops.serving.requests.schemas import Fleet

Floats = npt.NDArray[np.float32]

#: Bits of a device's status.
ALERTING, SILENT, ON_TRIAL = 1, 2, 4
#: Number of timestamps in the risk history, and the minimum time between two (ms): at least an hour.
HISTORY, STEP = 720, 5000


class Location(NamedTuple):
    """The location of a device; empty if unknown."""

    company: str
    data_center: str


class RiskHistory:
    """The latest risks of all devices; the oldest are dropped.

    Parameters
    ----------
    length : int
        Number of timestamps.
    """

    def __init__(self, length: int = HISTORY) -> None:
        self.times = np.zeros(length, dtype=np.int64)
        self.risks: Floats = np.full((length, 0), np.nan, dtype=np.float32)
        self.count = 0

    def grow(self, devices: int) -> None:
        """Allocate columns for more devices."""
        missing = devices - self.risks.shape[1]
        if missing > 0:
            wider = np.full((len(self.times), missing + devices // 4), np.nan, dtype=np.float32)
            self.risks = np.concatenate([self.risks, wider], axis=1)

    def add(self, time: int, risks: Floats) -> None:
        """Add the risks at a timestamp (ms).

        Within ``STEP``, the newest entry is replaced. An earlier time than before means that the server was
        restarted: the history is cleared.
        """
        if self.count and time < self._time(1):
            self.count = 0
        if self._is_new_entry(time):
            self.count += 1
        row = (self.count - 1) % len(self.times)
        self.times[row] = time
        self.risks[row] = np.nan
        self.risks[row, : len(risks)] = risks

    def _time(self, back: int) -> int:
        return int(self.times[(self.count - back) % len(self.times)])

    def _is_new_entry(self, time: int) -> bool:
        if self.count < 2:
            return self.count == 0 or time != self._time(1)
        return time != self._time(1) and self._time(1) - self._time(2) >= STEP

    def of(self, slot: int) -> tuple[list[int], list[float | None]]:
        """Return times (ms) and risks of a device, oldest first; None if it had no risk."""
        rows = np.arange(max(0, self.count - len(self.times)), self.count) % len(self.times)
        risks = self.risks[rows, slot] if slot < self.risks.shape[1] else np.full(len(rows), np.nan)
        return self.times[rows].tolist(), [risk if risk == risk else None for risk in risks.tolist()]


class FleetModel:
    """The newest state of all devices, and their order in the map.

    Attributes
    ----------
    facts : Fleet or None
        The latest answer of the server: network, champion, threshold, event time.
    names : list of str
        Devices by slot.
    locations : list of Location
        By slot.
    risk, last, status : arrays, by slot
        Newest risk (NaN: none), time (ms), and status bits.
    order : int64 array
        Slots sorted by company, data center and name.
    version : int
        Incremented when the order changes.
    """

    def __init__(self, history: RiskHistory | None = None) -> None:
        self.facts: Fleet | None = None
        self.history = history or RiskHistory()
        self.names: list[str] = []
        self.locations: list[Location] = []
        self.risk: Floats = np.full(0, np.nan, dtype=np.float32)
        self.last = np.zeros(0, dtype=np.int64)
        self.status = np.zeros(0, dtype=np.uint8)
        self.order = np.zeros(0, dtype=np.int64)
        self.version = 0
        self._slots: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def slot(self, device: str) -> int | None:
        """Return the slot of a device, or None."""
        return self._slots.get(device)

    def apply(self, answer: Fleet, full: bool) -> bool:
        """Apply an answer of the server.

        Parameters
        ----------
        answer : Fleet
            The changed devices, or all.
        full : bool
            Whether the answer has all devices; others are then removed.

        Returns
        -------
        bool
            Whether all devices of the server are known; if not, all must be queried.
        """
        if full and self._slots.keys() - set(answer.devices):
            self._reset()
        moved = self._add(answer)
        slots = np.array([self._slots[name] for name in answer.devices], dtype=np.int64)
        if len(slots):
            self.risk[slots] = np.array(answer.risk, dtype=np.float32)
            self.last[slots] = answer.last
        self.status[:] = 0
        for bit, names in ((ALERTING, answer.alerting), (SILENT, answer.silent), (ON_TRIAL, answer.on_trial)):
            self.status[[self._slots[name] for name in names if name in self._slots]] |= bit
        self.risk[self.status & SILENT > 0] = np.nan
        self.facts = answer
        if moved:
            self.order, self.version = ordered(self.names, self.locations), self.version + 1
        if answer.event_time is not None and len(self):
            self.history.grow(len(self))
            self.history.add(answer.event_time, self.risk)
        return answer.known == len(self)

    def _add(self, answer: Fleet) -> bool:
        """Add new devices; return whether any is new or has another location."""
        before, moved = len(self.names), False
        for name, company, center in zip(answer.devices, answer.companies, answer.data_centers, strict=True):
            location = Location(company or "", center or "")
            slot = self._slots.get(name)
            if slot is None:
                self._slots[name] = len(self.names)
                self.names.append(name)
                self.locations.append(location)
            elif self.locations[slot] != location:
                self.locations[slot], moved = location, True
        new = len(self.names) - before
        if new:
            self.risk = np.concatenate([self.risk, np.full(new, np.nan, dtype=np.float32)])
            self.last = np.concatenate([self.last, np.zeros(new, dtype=np.int64)])
            self.status = np.concatenate([self.status, np.zeros(new, dtype=np.uint8)])
        return moved or new > 0

    def _reset(self) -> None:
        """Reset: the server has other devices, so the stored risks belong to other slots."""
        version = self.version
        self.__init__(RiskHistory(len(self.history.times)))  # type: ignore[misc]
        self.version = version + 1
