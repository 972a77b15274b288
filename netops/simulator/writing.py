"""Write a generated network: one file per range of devices, streamed and written atomically."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from netops.files import atomic_path
from netops.simulator.network import Block, Network, Walks, produce
from netops.simulator.samples import Samples, samples_of
from netops.simulator.tables import Ints
from netops.simulator.truth import IncidentLog
from netops.telemetry.dataset import DEVICE_TYPE, TIME_TYPE, part_path
from netops.telemetry.schema import DEVICE, IS_ERROR, TIMESTAMP, error_column

#: Samples in one row group, of which one is in memory at a time.
GROUP = 262_144
#: Number of files of a large network; fewer if they would be smaller than a row group.
PARTS = 64

ARRIVED = "arrived"


@dataclass(frozen=True)
class Shard:
    """A file: its number, and the devices first..last-1."""

    number: int
    first: int
    last: int


def shards_of(network: Network) -> list[Shard]:
    """Divide the devices into files."""
    samples = network.devices * network.ticks
    size = max(1, max(GROUP, samples // PARTS) // network.ticks)
    cuts = [*range(0, network.devices, size), network.devices]
    return [Shard(number, a, b) for number, (a, b) in enumerate(pairwise(cuts))]


def schema_of(network: Network, details: Mapping[str, object]) -> pa.Schema:
    """Return the columns of a file, with the configuration and the seed in the file's metadata."""
    settings, fleet = network.settings, network.fleet
    columns = [(TIMESTAMP, TIME_TYPE), (DEVICE, DEVICE_TYPE)]
    columns += [(name, DEVICE_TYPE) for name in fleet.attributes]
    columns += [(name, pa.float64()) for name in settings.columns]
    columns += [(error_column(name), pa.bool_()) for name in settings.metrics]
    columns.append((IS_ERROR, pa.bool_()))
    if settings.faults.late:
        columns.append((ARRIVED, TIME_TYPE))
    return pa.schema(columns, metadata={"netops.generator": json.dumps(details, sort_keys=True)})


def incidents_path(folder: Path, shard: Shard) -> Path:
    """Return the path that stores the incidents of a file until the dataset is finished."""
    return folder / f"_incidents-{shard.number:05d}.parquet"


def write_shard(network: Network, shard: Shard, folder: Path, schema: pa.Schema) -> int:
    """Write one file; return its number of samples.

    The incidents are written first: if the file exists, its incidents do, too.
    """
    log, walks = IncidentLog(network), Walks()
    samples = 0
    plain = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    with (
        atomic_path(part_path(folder, shard.number)) as draft,
        # Telemetry hardly compresses: plain columns are written and read fastest.
        pq.ParquetWriter(draft, schema, compression="lz4", use_dictionary=plain, write_statistics=plain) as writer,
    ):
        for block in _blocks(network, shard, walks):
            sampled = samples_of(network, block)
            log.add(block, sampled)
            writer.write_table(table_of(network, block, sampled, schema), row_group_size=2 * GROUP)
            samples += len(sampled.positions)
        writer.close()
        with atomic_path(incidents_path(folder, shard)) as incidents:
            pq.write_table(log.table(), incidents)
    return samples


def _blocks(network: Network, shard: Shard, walks: Walks) -> Iterator[Block]:
    """Produce a file in row groups: all ticks of several devices, or several time ranges of one."""
    size = max(1, GROUP // network.ticks)
    end = network.first + network.ticks
    for first in range(shard.first, shard.last, size):
        devices = np.arange(first, min(first + size, shard.last))
        for tick in range(network.first, end, GROUP):
            yield produce(network, devices, tick, min(GROUP, end - tick), walks)


def table_of(network: Network, block: Block, samples: Samples, schema: pa.Schema) -> pa.Table:
    """Create the table of a block's samples."""
    cells = block.critical.size
    indices = (
        None if len(samples.positions) == cells and not network.settings.faults.duplicates else samples.positions
    )
    arrays = [_times(samples.timestamps), *_labels(network, block, samples)]
    arrays += [pa.array(_column(values, indices)) for values in block.values]
    arrays += [pa.array(_column(flags, indices)) for flags in block.errors]
    arrays.append(pa.array(_column(block.critical, indices)))
    if network.settings.faults.late:
        arrays.append(_times(samples.arrivals))
    return pa.table(arrays, schema=schema)


Scalar = TypeVar("Scalar", bound=np.generic)


def _column(cells: npt.NDArray[Scalar], indices: Ints | None) -> npt.NDArray[Scalar]:
    flat = cells.reshape(-1)
    return flat if indices is None else flat[indices]


def _times(values: Ints) -> pa.Array:
    return pa.array(values, pa.int64()).cast(TIME_TYPE)


def _labels(network: Network, block: Block, samples: Samples) -> list[pa.Array]:
    """Return the device and its attributes for each sample, dictionary-encoded."""
    rows = (samples.positions // block.critical.shape[1]).astype(np.int32)
    devices = block.devices.tolist()
    labels = [_encoded([network.fleet.names[d] for d in devices], rows)]
    return labels + [_encoded([texts[d] for d in devices], rows) for texts in network.fleet.attributes.values()]


def _encoded(texts: list[str], rows: npt.NDArray[np.int32]) -> pa.Array:
    distinct = list(dict.fromkeys(texts))
    codes = {text: code for code, text in enumerate(distinct)}
    numbers = np.array([codes[text] for text in texts], np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(numbers[rows]), pa.array(distinct, pa.string()))
