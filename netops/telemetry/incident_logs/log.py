"""An incident log: which device failed, from when to when."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from netops.telemetry.incidents import merge

Int64 = npt.NDArray[np.int64]
#: The end of an ongoing incident.
OPEN = np.iinfo(np.int64).max


@dataclass(frozen=True)
class IncidentLog:
    """Incidents by device, in the order of the file.

    Attributes
    ----------
    where : str
        The file.
    devices : list of str
        The device of each incident; empty if the log has no device column.
    kinds : list of str
        The kind of each incident; empty if unknown.
    starts, ends : int64 arrays
        Nanoseconds; the end of an ongoing incident is ``OPEN``.
    ids : list of str or None
        The identifiers in the log, if any.
    at : list of str
        The position of each in the file: ``inc.csv: line 18``.
    notes : tuple of str
        Assumptions made when the log was read.
    """

    where: str
    devices: list[str]
    kinds: list[str]
    starts: Int64
    ends: Int64
    ids: list[str | None] = field(default_factory=list)
    at: list[str] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def has_devices(self) -> bool:
        """Whether the log has the device of each incident."""
        return not self.devices or any(self.devices)

    def closed_ends(self) -> list[int | None]:
        """Return the ends; None for an ongoing incident."""
        return [None if end == OPEN else int(end) for end in self.ends.tolist()]

    def of(self, device: str) -> tuple[Int64, Int64]:
        """Return the incidents of one device, merged where they overlap."""
        rows = self._rows.get(device, _NONE)
        return merge(self.starts[rows], self.ends[rows])

    def kind_at(self, device: str, start: int, end: int) -> str:
        """Return the kind of the first incident of a device that overlaps a period of time."""
        rows, until = self._by_start.get(device, (_NONE, _NONE))
        index = int(np.searchsorted(until, start, side="right"))  # the first that ends after the start
        if index == len(rows) or self.starts[rows[index]] >= end:
            return ""
        return self.kinds[rows[index]]

    def take(self, rows: Sequence[int], devices: Sequence[str]) -> "IncidentLog":
        """Return the incidents of some rows, with other device names."""
        return IncidentLog(
            self.where,
            list(devices),
            [self.kinds[row] for row in rows],
            self.starts[list(rows)],
            self.ends[list(rows)],
            [self.ids[row] for row in rows] if self.ids else [],
            [self.at[row] for row in rows],
            self.notes,
        )

    @cached_property
    def _rows(self) -> dict[str, Int64]:
        found = defaultdict(list)
        for row, device in enumerate(self.devices):
            found[device].append(row)
        return {device: np.array(rows, np.int64) for device, rows in found.items()}

    @cached_property
    def _by_start(self) -> dict[str, tuple[Int64, Int64]]:
        """Device → its rows by start, and the latest end of the rows so far."""
        found = {}
        for device, rows in self._rows.items():
            ordered = rows[np.argsort(self.starts[rows], kind="stable")]
            found[device] = ordered, np.maximum.accumulate(self.ends[ordered])
        return found


_NONE = np.array([], np.int64)
