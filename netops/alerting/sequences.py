"""Samples of devices in order of time, and their incidents, as arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.kernels import kernel
from netops.telemetry.schema import DEVICE, END, START

if TYPE_CHECKING:
    import pyarrow as pa

    from netops.telemetry.dataset import Rows

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PRECURSOR_START = "precursor_start"
SCENARIO = "scenario"
#: The start of a precursor that is unknown.
UNKNOWN = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Sequences:
    """The samples of many devices, sorted by device and time.

    Attributes
    ----------
    devices : tuple of str
        The devices, including those without samples.
    offsets : int64 array, len(devices) + 1
        Device i has the rows offsets[i]:offsets[i + 1].
    timestamps : int64 array, rows
        Nanoseconds since the epoch, increasing within a device.
    """

    devices: tuple[str, ...]
    offsets: Integers
    timestamps: Integers

    @classmethod
    def of(cls, parts: "Iterable[Rows]") -> "Sequences":
        """Concatenate the keys of a dataset's files (``rows_of`` of each)."""
        rows = list(parts)
        counts = [np.diff(part.offsets) for part in rows]
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))]) if rows else np.zeros(1)
        times = np.concatenate([part.timestamps for part in rows]) if rows else np.zeros(0)
        devices = tuple(device for part in rows for device in part.devices)
        return cls(devices, offsets.astype(np.int64), times.astype(np.int64))

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.timestamps)

    @cached_property
    def device_of_row(self) -> Integers:
        """The device index of each row."""
        return np.repeat(np.arange(len(self.devices)), np.diff(self.offsets))

    def where(self, keep: Flags) -> "Sequences":
        """Select rows; device indices do not change, so the incidents remain valid."""
        selected = np.concatenate([[0], np.cumsum(keep)])
        return Sequences(self.devices, selected[self.offsets].astype(np.int64), self.timestamps[keep])


@dataclass(frozen=True)
class Incidents:
    """Incidents, sorted by device and start.

    Attributes
    ----------
    device : int64 array
        Index of the device in the sequences.
    start, end : int64 array
        First failed sample, and first healthy sample after it, in nanoseconds since the epoch.
    precursor_start : int64 array
        Start of the precursor; ``UNKNOWN`` if not known.
    scenario : tuple of str
        Type of the failure; "" if not known.
    offsets : int64 array, devices + 1
        Device i has the incidents offsets[i]:offsets[i + 1].
    """

    device: Integers
    start: Integers
    end: Integers
    precursor_start: Integers
    scenario: tuple[str, ...]
    offsets: Integers

    @classmethod
    def of(
        cls,
        devices: int,
        device: npt.ArrayLike,
        start: npt.ArrayLike,
        end: npt.ArrayLike,
        precursor_start: npt.ArrayLike | None = None,
        scenario: Sequence[str] | None = None,
    ) -> "Incidents":
        """Create incidents of ``devices`` devices, given in any order."""
        device, start, end = (np.asarray(values, dtype=np.int64) for values in (device, start, end))
        if precursor_start is None:
            precursor_start = np.full(len(start), UNKNOWN)
        names = [""] * len(start) if scenario is None else list(scenario)
        order = np.lexsort((start, device))
        offsets = np.searchsorted(device[order], np.arange(devices + 1))
        early = np.asarray(precursor_start, dtype=np.int64)[order]
        named = tuple(names[index] for index in order)
        return cls(device[order], start[order], end[order], early, named, offsets.astype(np.int64))

    @classmethod
    def from_table(cls, table: "pa.Table", devices: Sequence[str]) -> "Incidents":
        """Read the incidents of a dataset (``Dataset.incidents()``).

        Parameters
        ----------
        table : pyarrow.Table
            Columns device, start, end; optionally precursor_start and scenario.
        devices : sequence of str
            The devices of the sequences.

        Raises
        ------
        NetopsError
            If the device of an incident has no telemetry.
        """
        indices = {name: index for index, name in enumerate(devices)}
        named = table.column(DEVICE).to_pylist()
        if unknown := [name for name in named if name not in indices]:
            raise NetopsError(f"incidents of device '{unknown[0]}', which has no telemetry")
        early = _times(table, PRECURSOR_START) if PRECURSOR_START in table.column_names else None
        scenario = table.column(SCENARIO).to_pylist() if SCENARIO in table.column_names else [None] * len(named)
        names = [name or "" for name in scenario]
        index = [indices[name] for name in named]
        return cls.of(len(indices), index, _times(table, START), _times(table, END), early, names)

    def __len__(self) -> int:
        """Return the number of incidents."""
        return len(self.start)

    def warned_from(self, horizon: int) -> Integers:
        """Return from when an alert predicts each incident: the earlier of precursor and start − horizon."""
        return np.minimum(self.start - horizon, self.precursor_start)

    def where(self, keep: Flags) -> "Incidents":
        """Select incidents."""
        rows = np.flatnonzero(keep)
        names = [self.scenario[row] for row in rows.tolist()]
        columns = (self.device[rows], self.start[rows], self.end[rows], self.precursor_start[rows])
        return Incidents.of(len(self.offsets) - 1, *columns, names)

    def around(self, sequences: Sequences, horizon: int) -> Flags:
        """Mark the samples inside an incident, and those in which an alert would predict it."""
        first = self.warned_from(horizon)
        return _inside(sequences.offsets, sequences.timestamps, self.offsets, first, self.end)

    def inside(self, sequences: Sequences) -> Flags:
        """Mark the samples inside an incident: start ≤ t < end."""
        return _inside(sequences.offsets, sequences.timestamps, self.offsets, self.start, self.end)

    def observed(self, sequences: Sequences, horizon: int) -> Flags:
        """Mark the incidents that can be predicted: those with a healthy sample in [start − horizon, start)."""
        healthy = ~self.inside(sequences)
        return _observed(sequences.offsets, sequences.timestamps, healthy, self.offsets, self.start, horizon)


def _times(table: "pa.Table", column: str) -> Integers:
    import pyarrow as pa

    # Late: a server keeps alerts without Arrow.
    from netops.telemetry.dataset import TIME_TYPE

    return table.column(column).cast(TIME_TYPE).cast(pa.int64()).fill_null(UNKNOWN).to_numpy()


@kernel
def _inside(offsets, timestamps, incident_offsets, start, end):  # type: ignore[no-untyped-def]
    inside = np.zeros(len(timestamps), dtype=np.bool_)
    for device in range(len(offsets) - 1):
        rows = timestamps[offsets[device] : offsets[device + 1]]
        for incident in range(incident_offsets[device], incident_offsets[device + 1]):
            first, last = np.searchsorted(rows, start[incident]), np.searchsorted(rows, end[incident])
            inside[offsets[device] + first : offsets[device] + last] = True
    return inside


@kernel
def _observed(offsets, timestamps, healthy, incident_offsets, start, horizon):  # type: ignore[no-untyped-def]
    observed = np.zeros(len(start), dtype=np.bool_)
    for device in range(len(offsets) - 1):
        rows = timestamps[offsets[device] : offsets[device + 1]]
        for incident in range(incident_offsets[device], incident_offsets[device + 1]):
            first = offsets[device] + np.searchsorted(rows, start[incident] - horizon)
            last = offsets[device] + np.searchsorted(rows, start[incident])
            observed[incident] = healthy[first:last].any()
    return observed
