"""Plan a large network: processes, memory, network, and the time to recover from the loss of one node.

The costs of a sample and a device are measured on this machine; ``--devices`` and ``--interval`` are those of the
network. The recovery is simulated second by second: the partitions of the lost node
wait for the session to end, are restored by the others from snapshots, and catch up.
"""

import argparse
import multiprocessing
import time
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from netops.config.durations import HOUR, SECOND, parse_duration
from netops.serving.stream.object_store.lease import RENEWED

from .report import report
from .serving import METRICS, body, make_model

if TYPE_CHECKING:
    from netops.serving.engine.pipeline import Pipeline

#: Samples of the measurement, which fills windows of an hour, and the last intervals of it, whose time counts.
SAMPLES, TIMED = 500_000, 8
#: Seconds between two ticks of ``serving.body``, and devices of a request.
TICK, TOGETHER = 5, 500
#: Part of processors and memory that is used as long as nothing happens.
USED_CORE, USED_MEMORY = 0.5, 0.75
#: Partitions per process: the load can then be spread evenly over one process more or less.
PARTITIONS = 4
#: Seconds until a lost process is noticed, between two snapshots, and of a lease: defaults of serving.stream and
#: serving.state.
SESSION, SNAPSHOT, LEASE = 10, 10, 10
#: Dollars per PUT request of Amazon S3 (standard, us-east-1, 2025), and seconds per month.
PUT, MONTH = 0.005 / 1000, 730 * 3600
#: Bytes of a device in a snapshot in addition to its samples.
RECORD = 200


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes
    ----------
    sample_us : float
        Processor time of a sample, from bytes to risk.
    message_bytes : float
        Size of a sample in the topic.
    device_bytes : float
        Memory of a device.
    base_bytes : float
        Memory of a process without devices.
    snapshot_bytes : float
        Size of a device in a full snapshot.
    restore_us : float
        Processor time to restore a device.
    """

    sample_us: float
    message_bytes: float
    device_bytes: float
    base_bytes: float
    snapshot_bytes: float
    restore_us: float


def measure(interval: float) -> Costs:
    """Measure the costs with a model of 200 trees and four metrics."""
    import psutil

    from netops.serving.engine.champion import FixedModel
    from netops.serving.engine.pipeline import Pipeline
    from netops.serving.engine.runtime import Runtime

    random, ticks = np.random.default_rng(0), ceil(HOUR / SECOND / interval) + TIMED
    devices = max(SAMPLES // ticks // TOGETHER, 1) * TOGETHER
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # In another process: what fitting takes is no part of a server.
        fit = multiprocessing.get_context("spawn").Process(target=make_model, args=(folder / "model",))
        fit.start()
        fit.join()
        model = FixedModel("bench", folder / "model")
        runtime = Runtime("demo", model, folder=folder / "state")
        pipeline, base = Pipeline(runtime), psutil.Process().memory_info().rss
        spent = [_send(pipeline, devices, round(tick * interval / TICK), random) for tick in range(ticks)]
        sample = sum(spent[-TIMED:]) / TIMED / devices
        memory = (psutil.Process().memory_info().rss - base) / devices
        runtime.close()
        size = sum(file.stat().st_size for file in (folder / "state").glob("state*.bin")) / devices
        since = time.process_time()
        runtime = Runtime("demo", model, folder=folder / "state")
        restore = (time.process_time() - since) / devices
        runtime.close()
    return Costs(sample * 1e6, len(body(0, 0, random)), memory, base, size, restore * 1e6)


def _send(pipeline: "Pipeline", devices: int, tick: int, random: np.random.Generator) -> float:
    """Send a sample of each device; return the processor time."""
    bodies = [_lines(first, tick, random) for first in range(0, devices, TOGETHER)]
    since = time.process_time()
    for content in bodies:
        pipeline.process_without_answers(pipeline.validate(content, "application/x-ndjson"))
    return time.process_time() - since


def _lines(first: int, tick: int, random: np.random.Generator) -> bytes:
    return b"\n".join(body(device, tick, random) for device in range(first, first + TOGETHER))


@dataclass(frozen=True)
class Plan:
    """What a network needs, with one process on each node.

    Attributes
    ----------
    processes, partitions : int
    cores, memory_gb : float
        Used by all processes.
    topic_mb, snapshots_mb : float
        Per second: what is written to the topic, without copies, and to the state folder.
    state_gb : float
        Size of all snapshots.
    puts, puts_month : float
        With an object store instead of a state folder: PUT requests per second, and dollars per month.
    """

    processes: int
    partitions: int
    cores: float
    memory_gb: float
    topic_mb: float
    snapshots_mb: float
    state_gb: float
    puts: float
    puts_month: float


def plan(costs: Costs, devices: int, interval: float, memory: float) -> Plan:
    """Plan so that one process may be lost.

    Parameters
    ----------
    costs : Costs
    devices : int
    interval : float
        Seconds between two samples of a device.
    memory : float
        Bytes of a process.
    """
    busy = devices / interval * costs.sample_us / 1e6
    by_core = ceil(busy / USED_CORE)
    by_memory = ceil(devices * costs.device_bytes / (USED_MEMORY * memory - costs.base_bytes))
    processes = max(by_core, by_memory, 2) + 1
    # Of the devices that have sent since the last snapshot, their samples; a sixteenth of all devices in full.
    changed = min(1.0, SNAPSHOT / interval) * (8 * (1 + len(METRICS)) + RECORD)
    written = devices * (changed + costs.snapshot_bytes / 16) / SNAPSHOT
    puts = processes * PARTITIONS * _puts()
    return Plan(
        processes,
        processes * PARTITIONS,
        busy,
        (processes * costs.base_bytes + devices * costs.device_bytes) / 1e9,
        devices / interval * costs.message_bytes / 1e6,
        written / 1e6,
        devices * costs.snapshot_bytes / 1e9,
        puts,
        puts * MONTH * PUT,
    )


def _puts() -> float:
    """Return the PUT requests per second of a partition: snapshots, manifests, and renewals of the lease."""
    return 2 / SNAPSHOT + max(1 / (RENEWED * LEASE) - 1 / SNAPSHOT, 0.0)


def recover(costs: Costs, needed: Plan, devices: int, interval: float) -> tuple[float, float]:
    """Simulate the loss of a process, second by second.

    Its partitions are taken over by the others in equal parts. A process first processes the samples of its own
    partitions, and then restores those that it takes over, before it processes their samples.

    Returns
    -------
    pause, recovered : float
        Seconds until the last partition is restored, and until no sample waits.
    """
    taken = ceil(PARTITIONS / (needed.processes - 1))  # by the process that takes over most
    arrivals = devices / needed.partitions / interval
    own = PARTITIONS * arrivals * costs.sample_us / 1e6  # of each second
    restoring = taken * devices / needed.partitions * costs.restore_us / 1e6
    waiting, seconds, pause = SESSION * taken * arrivals, SESSION, SESSION
    while waiting >= 1 and seconds < 86_400:
        seconds += 1
        left = max(1.0 - own, 0.0)
        restoring, left = max(restoring - left, 0.0), max(left - restoring, 0.0)
        pause = seconds if restoring > 0 else pause
        waiting = max(waiting + taken * arrivals - left * 1e6 / costs.sample_us, 0.0)
    return float(pause), float(seconds)


def main() -> None:
    """Measure, plan, and simulate the loss of a node."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--devices", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--interval", default="60s")
    parser.add_argument("--gigabytes", type=float, default=8.0, help="memory of a process")
    given = parser.parse_args()
    interval = parse_duration(given.interval) / SECOND
    costs = measure(interval)
    report("scale_costs", costs.sample_us, **{name: round(value, 1) for name, value in vars(costs).items()})
    for devices in given.devices:
        needed = plan(costs, devices, interval, given.gigabytes * 1e9)
        pause, recovered = recover(costs, needed, devices, interval)
        figures = {name: round(float(value), 2) for name, value in vars(needed).items()}
        report("scale_plan", devices, **figures, pause_seconds=pause, recovered_seconds=recovered)


if __name__ == "__main__":
    main()
