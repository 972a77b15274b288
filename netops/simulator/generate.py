"""Generate telemetry: into a dataset folder, into arrays, or as a stream."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from netops.compute.cluster import Cluster
from netops.config.durations import SECOND
from netops.errors import NetopsError, UsageError
from netops.files import read_json, write_json
from netops.json_types import JsonDict
from netops.progress import Progress, silent
from netops.simulator.network import Network, Walks, make_network, produce
from netops.simulator.samples import samples_of
from netops.simulator.settings import GeneratorSettings
from netops.simulator.truth import IncidentLog
from netops.simulator.writing import Shard, incidents_path, schema_of, shards_of, write_shard
from netops.telemetry.dataset import GENERATED, Dataset, Meta, finish, part_path

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Incremented whenever the same settings and seed produce other bytes than before.
VERSION = 1

_STATE, _META = "_generator.json", "_meta.json"


def details_of(network: Network) -> JsonDict:
    """Describe a network so that it can be reproduced: settings, seed, times, and a fingerprint of them all."""
    description = {
        "settings": network.settings.to_dict(),
        "devices": network.devices,
        "interval": network.interval,
        "start": network.start,
        "ticks": network.ticks,
        "seed": network.seed,
        "origin": network.origin,
        "version": VERSION,
    }
    if network.silent:
        description["silent"] = network.silent
    text = json.dumps(description, sort_keys=True)
    return {"fingerprint": hashlib.sha256(text.encode()).hexdigest(), **json.loads(text)}


def generate(
    settings: GeneratorSettings,
    out: Path,
    *,
    devices: int | None = None,
    duration: int,
    interval: int | None = None,
    start: int,
    seed: int,
    workers: int = 1,
    origin: int | None = None,
    silent: float = 0.0,
    cluster: Cluster | None = None,
    progress: Progress = silent,
) -> Dataset:
    """Generate a network into a dataset folder.

    Files that an earlier call with the same arguments has finished are reused, so an interrupted call can resume.

    Parameters
    ----------
    settings : GeneratorSettings
    out : path
        The folder; created if missing.
    devices : int, optional
        Number of devices; by default that of the deployment section.
    duration : int
        Nanoseconds.
    interval : int, optional
        Nanoseconds between two samples of a device; by default that of the settings.
    start : int
        Time of the first sample, nanoseconds since the epoch.
    seed : int
    workers : int
        Number of threads that write files: the kernels and the Parquet writer release the GIL.
    origin : int, optional
        Time from which drift and past-based metrics count, by default the start. A network that continues an
        earlier one has the same seed and origin.
    silent : float
        Fraction of the failures that only logs announce, see :func:`netops.simulator.network.make_network`.
    cluster : Cluster, optional
        Whose workers write the files instead of threads; they must have access to the folder.
    progress : Progress
        Called with the number of finished samples.

    Returns
    -------
    Dataset

    Raises
    ------
    UsageError
        If the folder contains something else.
    NetopsError
        If the folder cannot be written.
    """
    network = make_network(
        settings,
        devices=devices,
        duration=duration,
        interval=interval,
        start=start,
        seed=seed,
        origin=origin,
        silent=silent,
    )
    try:
        return _generate(network, out, workers, cluster, progress)
    except OSError as error:
        raise NetopsError(f"{error.filename or out}: cannot be written: {error.strerror or error}") from None


def _generate(network: Network, out: Path, workers: int, cluster: Cluster | None, progress: Progress) -> Dataset:
    details = details_of(network)
    if _claim(out, details):
        return Dataset.open(out)
    shards = shards_of(network)
    total, done = network.devices * network.ticks, 0
    written = (
        _by_threads(network, shards, out, workers) if cluster is None else _by_tasks(cluster, network, shards, out)
    )
    for samples in written:
        done += samples
        progress(min(done, total), total, "samples")
    return _finish(network, out, shards, details, done)


def _by_threads(network: Network, shards: list[Shard], out: Path, workers: int) -> Iterator[int]:
    """Write the files; yield their numbers of samples."""
    schema = schema_of(network, details_of(network))
    with ThreadPoolExecutor(max(1, workers)) as pool:
        yield from pool.map(lambda shard: _write_once(network, shard, out, schema), shards)


def _by_tasks(cluster: Cluster, network: Network, shards: list[Shard], out: Path) -> Iterator[int]:
    arguments = {
        "settings": network.settings,
        "devices": network.devices,
        "duration": network.ticks * network.interval,
        "interval": network.interval,
        "start": network.start,
        "seed": network.seed,
        "origin": network.origin,
        "silent": network.silent,
    }
    for _, samples in cluster.run(_write_task, [(str(out.resolve()), shard.number, arguments) for shard in shards]):
        yield samples


_latest: dict[str, Network] = {}


def _write_task(folder: str, number: int, arguments: dict[str, Any]) -> int:
    """Write one file of the network that has claimed the folder; a worker makes the network once for all files."""
    out = Path(folder)
    details = read_json(out / _STATE)
    claimed = details["fingerprint"]
    if claimed not in _latest:
        _latest.clear()
        network = make_network(**arguments)
        if details_of(network)["fingerprint"] != claimed:
            raise NetopsError(f"{out}: a worker of the cluster generates another network; install the same version")
        _latest[claimed] = network
    network = _latest[claimed]
    return _write_once(network, shards_of(network)[number], out, schema_of(network, details))


def _write_once(network: Network, shard: Shard, out: Path, schema: pa.Schema) -> int:
    if part_path(out, shard.number).is_file():
        return pq.read_metadata(part_path(out, shard.number)).num_rows
    return write_shard(network, shard, out, schema)


def _claim(out: Path, details: JsonDict) -> bool:
    """Claim a folder for a network; return whether it is already finished."""
    if (out / _STATE).is_file():
        if read_json(out / _STATE)["fingerprint"] != details["fingerprint"]:
            raise UsageError(
                f"{out}: contains telemetry generated with other settings; choose another folder or remove it"
            )
        for draft in out.glob(".part-*.tmp"):
            draft.unlink()
        return (out / _META).is_file()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: exists and was not created by the generator; choose another folder or remove it")
    write_json(out / _STATE, details)
    return False


def _finish(network: Network, out: Path, shards: list[Shard], details: JsonDict, samples: int) -> Dataset:
    incidents = pa.concat_tables([pq.read_table(incidents_path(out, shard)) for shard in shards])
    meta = Meta(
        metrics=network.settings.columns,
        attributes=tuple(network.fleet.attributes),
        samples=samples,
        devices=network.devices,
        incidents=incidents.num_rows,
        interval_seconds=network.interval / SECOND,
        source=GENERATED,
        details={"generator": details},
    )
    dataset = finish(out, meta, incidents)
    for shard in shards:
        incidents_path(out, shard).unlink()
    return dataset


@dataclass(frozen=True)
class Arrays:
    """A generated network in memory.

    Attributes
    ----------
    names : list of str
        The devices.
    attributes : dict
        Attribute → one text per device.
    metrics : tuple of str
        The metric columns.
    timestamps : int64 array, ticks
        Nominal times, nanoseconds since the epoch.
    values : float64 array, devices × ticks × metrics
        A view in which each metric is contiguous.
    errors : bool array, devices × ticks
        Whether the device is in critical failure.
    metric_errors : bool array, devices × ticks × metrics
        Whether the metric is in error (for the metrics of the YAML, without their columns of extremes).
    present : bool array, devices × ticks
        Whether the device exists.
    incidents : pyarrow.Table
        As in a dataset.
    """

    names: list[str]
    attributes: dict[str, list[str]]
    metrics: tuple[str, ...]
    timestamps: Ints
    values: Floats
    errors: Bools
    metric_errors: Bools
    present: Bools
    incidents: pa.Table


def generate_arrays(
    settings: GeneratorSettings,
    *,
    devices: int | None = None,
    duration: int,
    interval: int | None = None,
    start: int,
    seed: int,
    workers: int = 1,
    origin: int | None = None,
) -> Arrays:
    """Generate a network into memory; faults on the way to the collector are excluded.

    Parameters and errors as for :func:`generate`.
    """
    network = make_network(
        settings, devices=devices, duration=duration, interval=interval, start=start, seed=seed, origin=origin
    )
    groups = np.array_split(np.arange(network.devices), max(1, min(network.devices, 4 * workers)))
    with ThreadPoolExecutor(max(1, workers)) as pool:
        blocks = list(pool.map(lambda group: produce(network, group, network.first, network.ticks), groups))
    ticks = np.arange(network.first, network.first + network.ticks)
    log = IncidentLog(network)
    for block in blocks:
        log.add(block, samples_of(network, block))
    present = np.concatenate([block.present for block in blocks])
    return Arrays(
        names=network.fleet.names,
        attributes=network.fleet.attributes,
        metrics=settings.columns,
        timestamps=network.time_of(ticks),
        values=np.moveaxis(np.concatenate([block.values for block in blocks], axis=1), 0, -1),
        errors=np.concatenate([block.critical for block in blocks]),
        metric_errors=np.moveaxis(np.concatenate([block.errors for block in blocks], axis=1), 0, -1),
        present=ticks >= present[:, None],
        incidents=log.table(),
    )


@dataclass(frozen=True)
class Batch:
    """Samples in the order of arrival.

    Attributes
    ----------
    devices : int64 array, n
        Device indices into the fleet's names.
    timestamps : int64 array, n
    values : float64 array, n × metrics
    is_error : bool array, n
    """

    devices: Ints
    timestamps: Ints
    values: Floats
    is_error: Bools
    arrivals: Ints


def stream(network: Network, ticks: int = 60) -> Iterator[Batch]:
    """Generate a network in the order of time, across devices.

    Parameters
    ----------
    network : Network
        From :func:`netops.simulator.network.make_network`; ``network.fleet`` has names and attributes.
    ticks : int
        Ticks per batch. Late samples are in a later batch.

    Yields
    ------
    Batch
    """
    devices, walks, end = np.arange(network.devices), Walks(), network.first + network.ticks
    pending: list[Batch] = []
    for first in range(network.first, end, ticks):
        block = produce(network, devices, first, min(ticks, end - first), walks)
        sampled = samples_of(network, block)
        fresh = Batch(
            sampled.positions // block.critical.shape[1],
            sampled.timestamps,
            block.values.reshape(len(block.values), -1)[:, sampled.positions].T,
            block.critical.reshape(-1)[sampled.positions],
            sampled.arrivals,
        )
        last = first + ticks >= end
        # Samples of the next tick may be early by less than half an interval.
        until = network.time_of(first + ticks) - network.interval // 2
        ready, held = _split(_join([*pending, fresh]), until, last)
        pending = [held]
        yield ready


def _join(batches: list[Batch]) -> Batch:
    names = ("devices", "timestamps", "values", "is_error", "arrivals")
    return Batch(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in names))


def _split(batch: Batch, until: int, last: bool) -> tuple[Batch, Batch]:
    """Sort by arrival, and keep samples that arrive later for the next batch."""
    order = np.lexsort((batch.devices, batch.arrivals))
    cut = len(order) if last else int(np.searchsorted(batch.arrivals[order], until))
    return _take(batch, order[:cut]), _take(batch, order[cut:])


def _take(batch: Batch, indices: Ints) -> Batch:
    return Batch(
        batch.devices[indices],
        batch.timestamps[indices],
        batch.values[indices],
        batch.is_error[indices],
        batch.arrivals[indices],
    )
