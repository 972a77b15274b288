"""The ground truth of the samples: every incident with its scenario, precursor and cause."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from netops.simulator.network import Block, Bools, Network, Truth
from netops.simulator.samples import Samples
from netops.simulator.tables import Ints
from netops.telemetry.dataset import INCIDENTS_SCHEMA, TIME_TYPE
from netops.telemetry.schema import SOURCE, TELEMETRY

SCENARIO, PRECURSOR_START, CAUSE_METRIC = "scenario", "precursor_start", "cause_metric"

TRUTH_SCHEMA = pa.schema(
    [
        *INCIDENTS_SCHEMA,
        (SCENARIO, pa.string()),
        (PRECURSOR_START, TIME_TYPE),
        (CAUSE_METRIC, pa.string()),
        (SOURCE, pa.string()),
    ]
)


@dataclass
class IncidentLog:
    """Collect the runs of samples in error, device by device, in the order of time."""

    network: Network
    rows: list[tuple[int, int, int, Truth]] = field(default_factory=list)
    _open: dict[int, tuple[int, Truth]] = field(default_factory=dict)

    def add(self, block: Block, samples: Samples) -> None:
        """Add the samples of a block."""
        ticks = block.critical.shape[1]
        flags = block.critical.reshape(-1)[samples.positions]
        bounds = np.searchsorted(samples.positions, np.arange(len(block.devices) + 1) * ticks)
        truths: dict[int, list[Truth]] = {}
        for truth in block.truths:
            truths.setdefault(truth.device, []).append(truth)
        for index, device in enumerate(block.devices.tolist()):
            if device in truths or device in self._open:
                part = slice(bounds[index], bounds[index + 1])
                numbers = samples.positions[part] - index * ticks + block.first
                self._device(device, samples.timestamps[part], flags[part], numbers, truths.get(device, []))

    def _device(self, device: int, times: Ints, flags: Bools, numbers: Ints, truths: list[Truth]) -> None:
        before = np.concatenate(([device in self._open], flags))
        for edge in np.flatnonzero(before[1:] != before[:-1]).tolist():
            if flags[edge]:
                tick = int(numbers[edge])
                truth = next(t for t in truths if t.start <= tick < t.end)
                self._open[device] = (int(times[edge]), truth)
            else:
                start, truth = self._open.pop(device)
                self.rows.append((device, start, int(times[edge]), truth))

    def table(self) -> pa.Table:
        """Return all incidents, sorted by device and start; ongoing ones end one tick after the last sample."""
        network = self.network
        end = network.time_of(network.first + network.ticks)
        rows = self.rows + [(device, start, end, truth) for device, (start, truth) in self._open.items()]
        rows.sort(key=lambda row: row[:2])
        columns = [
            [network.fleet.names[device] for device, *_ in rows],
            [start for _, start, _, _ in rows],
            [end for _, _, end, _ in rows],
            [truth.scenario for *_, truth in rows],
            [network.time_of(truth.precursor) for *_, truth in rows],
            [truth.cause for *_, truth in rows],
            [TELEMETRY] * len(rows),
        ]
        return pa.table(
            [pa.array(c, f.type) for c, f in zip(columns, TRUTH_SCHEMA, strict=True)], schema=TRUTH_SCHEMA
        )
