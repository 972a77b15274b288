"""Telemetry for replay: samples of many devices in order of time, simulated or recorded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.alerting.sequences import UNKNOWN, Incidents
from netops.simulator.generate import stream
from netops.simulator.network import Network
from netops.telemetry.dataset import Dataset, matrix_of, rows_of
from netops.telemetry.schema import COMPANY, DATA_CENTER

Integers = npt.NDArray[np.int64]

#: Samples per chunk.
_CHUNK = 20_000


@dataclass(frozen=True)
class Chunk:
    """Samples in the order in which they are sent.

    Attributes
    ----------
    devices : int64 array, n
        Indices into the playback's devices.
    timestamps : int64 array, n
        Nanoseconds.
    values : float64 array, n × metrics
        NaN where a metric is missing.
    is_error : bool array, n, or None
        Ground truth, which is not sent.
    """

    devices: Integers
    timestamps: Integers
    values: npt.NDArray[np.float64]
    is_error: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Playback:
    """Telemetry and its known incidents.

    Attributes
    ----------
    metrics, devices : tuple of str
        Their names.
    locations : tuple of (company, data center)
        The location of each device.
    chunks : function
        Returns an iterator over the samples from the beginning.
    incidents : Incidents or None
        Incidents known beforehand; None: they are derived from ``is_error`` of the samples.
    """

    metrics: tuple[str, ...]
    devices: tuple[str, ...]
    locations: tuple[tuple[str | None, str | None], ...]
    chunks: Callable[[], Iterator[Chunk]] = field(repr=False)
    incidents: Incidents | None = None


def generated(network: Network) -> Playback:
    """Return the playback of a simulated network.

    Parameters
    ----------
    network : Network
        From ``make_network``.
    """
    fleet = network.fleet
    count = len(fleet.names)
    attributes = [fleet.attributes.get(name, [None] * count) for name in (COMPANY, DATA_CENTER)]
    return Playback(
        tuple(network.settings.metrics),
        tuple(fleet.names),
        tuple(zip(*attributes, strict=True)),
        lambda: (Chunk(b.devices, b.timestamps, b.values, b.is_error) for b in stream(network, ticks=12)),
    )


def recorded(dataset: Dataset) -> Playback:
    """Return the playback of a dataset, which is loaded into memory."""
    metrics = list(dataset.meta.metrics)
    devices: list[str] = []
    locations: list[tuple[str | None, str | None]] = []
    parts = []
    for table in dataset.tables():
        rows = rows_of(table)
        counts = np.diff(rows.offsets)
        codes = np.repeat(np.arange(len(devices), len(devices) + len(counts)), counts)
        parts.append((codes, rows.timestamps, matrix_of(table, metrics)))
        devices += rows.devices
        locations += _locations(table, rows.offsets[:-1])
    codes, timestamps, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((codes, timestamps))
    known = dataset.incidents()
    return Playback(
        tuple(metrics),
        tuple(devices),
        tuple(locations),
        lambda: _chunks(codes[order], timestamps[order], values, order),
        Incidents.from_table(known, devices) if known.num_rows else None,
    )


def _locations(table: pa.Table, firsts: Integers) -> list[tuple[str | None, str | None]]:
    columns = [
        table.column(name).take(firsts).to_pylist() if name in table.column_names else [None] * len(firsts)
        for name in (COMPANY, DATA_CENTER)
    ]
    return list(zip(*columns, strict=True))


def _chunks(
    codes: Integers, timestamps: Integers, values: npt.NDArray[np.float64], order: Integers
) -> Iterator[Chunk]:
    for start in range(0, len(codes), _CHUNK):
        part = slice(start, start + _CHUNK)
        yield Chunk(codes[part], timestamps[part], values[order[part]])


class Truth:
    """Ground truth: the incidents of a playback, known beforehand or derived from the samples."""

    def __init__(self, playback: Playback) -> None:
        self._known, self._devices = playback.incidents, len(playback.devices)
        self._open: dict[int, int] = {}
        self._rows: list[tuple[int, int, int]] = []

    def add(self, chunk: Chunk) -> None:
        """Add samples that were sent."""
        if self._known is not None or chunk.is_error is None:
            return
        failing = np.union1d(chunk.devices[chunk.is_error], np.array(list(self._open), dtype=np.int64))
        touched = np.flatnonzero(np.isin(chunk.devices, failing))
        for row in touched.tolist():
            device, at = int(chunk.devices[row]), int(chunk.timestamps[row])
            if chunk.is_error[row]:
                self._open.setdefault(device, at)
            elif device in self._open:
                self._rows.append((device, self._open.pop(device), at))

    def incidents(self, first: int, last: int) -> Incidents:
        """Return the incidents that started between two times (ns)."""
        if self._known is not None:
            known = self._known
            rows = list(zip(known.device, known.start, known.end, known.precursor_start, strict=True))
        else:
            ongoing = [(device, start, last + 1) for device, start in self._open.items()]
            rows = [(*row, UNKNOWN) for row in [*self._rows, *ongoing]]
        columns = np.array(rows, dtype=np.int64).reshape(-1, 4)
        device, start, end, precursor = columns[(columns[:, 1] >= first) & (columns[:, 1] <= last)].T
        return Incidents.of(self._devices, device, start, end, precursor)
