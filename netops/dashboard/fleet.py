"""What the dashboard knows of a fleet: the newest state of each device, and the risks it has seen of it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netops.dashboard.layout import ordered
from netops.serving.http.schemas import Fleet

Floats = npt.NDArray[np.float32]

#: Bits of a device's status.
ALERTING, SILENT, ON_TRIAL = 1, 2, 4
#: Instants at which each device's risk is kept, and the least time between two (ms): an hour at least.
KEPT, STEP = 720, 5000


class Place(NamedTuple):
    """Where a device stands; empty where it is not known."""

    company: str
    data_center: str


class RiskHistory:
    """Risks of all devices at the latest instants, oldest dropped first.

    Parameters
    ----------
    kept : int
        Instants.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.times = np.zeros(kept, dtype=np.int64)
        self.risks: Floats = np.full((kept, 0), np.nan, dtype=np.float32)
        self.count = 0

    def grow(self, devices: int) -> None:
        """Make room for more devices; those that are there keep their columns."""
        missing = devices - self.risks.shape[1]
        if missing > 0:
            wider = np.full((len(self.times), missing + devices // 4), np.nan, dtype=np.float32)
            self.risks = np.concatenate([self.risks, wider], axis=1)

    def note(self, time: int, risks: Floats) -> None:
        """Note an instant (ms).

        Until ``STEP`` is over, the newest instant moves on in place of a further one. Where time has gone back, the
        server has begun anew, and so does the history.
        """
        if self.count and time < self._time(1):
            self.count = 0
        if self._is_further(time):
            self.count += 1
        row = (self.count - 1) % len(self.times)
        self.times[row] = time
        self.risks[row] = np.nan
        self.risks[row, : len(risks)] = risks

    def _time(self, back: int) -> int:
        return int(self.times[(self.count - back) % len(self.times)])

    def _is_further(self, time: int) -> bool:
        if self.count < 2:
            return self.count == 0 or time != self._time(1)
        return time != self._time(1) and self._time(1) - self._time(2) >= STEP

    def of(self, slot: int) -> tuple[list[int], list[float | None]]:
        """Give times (ms) and risks of one device, oldest first; None where it had none."""
        rows = np.arange(max(0, self.count - len(self.times)), self.count) % len(self.times)
        risks = self.risks[rows, slot] if slot < self.risks.shape[1] else np.full(len(rows), np.nan)
        return self.times[rows].tolist(), [risk if risk == risk else None for risk in risks.tolist()]


class FleetModel:
    """The newest answer about every device, and where each is drawn.

    Attributes
    ----------
    facts : Fleet or None
        The latest answer: network, champion, threshold, event time.
    names : list of str
        Devices by slot.
    places : list of Place
        By slot.
    risk, last, status : arrays, by slot
        Newest risk (NaN: none), time (ms), and bits of the status.
    order : int64 array
        Slots by company, data center and name: how devices are shown.
    version : int
        Changes with the order.
    """

    def __init__(self, history: RiskHistory | None = None) -> None:
        self.facts: Fleet | None = None
        self.history = history or RiskHistory()
        self.names: list[str] = []
        self.places: list[Place] = []
        self.risk: Floats = np.full(0, np.nan, dtype=np.float32)
        self.last = np.zeros(0, dtype=np.int64)
        self.status = np.zeros(0, dtype=np.uint8)
        self.order = np.zeros(0, dtype=np.int64)
        self.version = 0
        self._slots: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def slot(self, device: str) -> int | None:
        """Find a device."""
        return self._slots.get(device)

    def take(self, answer: Fleet, whole: bool) -> bool:
        """Take an answer of the server in.

        Parameters
        ----------
        answer : Fleet
            What has changed, or everything.
        whole : bool
            Whether it tells of all devices: others are gone.

        Returns
        -------
        bool
            Whether all that the server knows is known here too; if not, all has to be asked for.
        """
        if whole and self._slots.keys() - set(answer.devices):
            self._forget()
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
            self.order, self.version = ordered(self.names, self.places), self.version + 1
        if answer.event_time is not None and len(self):
            self.history.grow(len(self))
            self.history.note(answer.event_time, self.risk)
        return answer.known == len(self)

    def _add(self, answer: Fleet) -> bool:
        """Give new devices a slot; tell whether any is new or has moved."""
        before, moved = len(self.names), False
        for name, company, center in zip(answer.devices, answer.companies, answer.data_centers, strict=True):
            index = Place(company or "", center or "")
            slot = self._slots.get(name)
            if slot is None:
                self._slots[name] = len(self.names)
                self.names.append(name)
                self.places.append(index)
            elif self.places[slot] != index:
                self.places[slot], moved = index, True
        new = len(self.names) - before
        if new:
            self.risk = np.concatenate([self.risk, np.full(new, np.nan, dtype=np.float32)])
            self.last = np.concatenate([self.last, np.zeros(new, dtype=np.int64)])
            self.status = np.concatenate([self.status, np.zeros(new, dtype=np.uint8)])
        return moved or new > 0

    def _forget(self) -> None:
        """Begin anew: the server knows other devices than before, so the risks noted are of other slots."""
        version = self.version
        self.__init__(RiskHistory(len(self.history.times)))  # type: ignore[misc]
        self.version = version + 1
