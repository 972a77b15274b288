"""Samples a second from a topic that is filled beforehand, by one process, by one with an output, and by two.

Needs Java and the files of the broker (tests/broker/fetch.sh). The processes are stopped while the topic is filled,
so that all begin at once with their partitions assigned.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from .report import report
from .serving import body, make_model

PARTITIONS, DEVICES, TICKS = 8, 2000, 150
_POLL = 0.05


def serve(model: Path, state: Path, address: str, out: str) -> None:
    """Serve as ``netops serve --stream`` does."""
    from netops.config.durations import SECOND
    from netops.serving.engine.champion import FixedModel
    from netops.serving.http.serve import serve as run
    from netops.serving.settings import ServingSettings, StreamSettings

    stream = StreamSettings(url=address, out=out, session=120 * SECOND)
    settings = ServingSettings(port=0, stream=stream)
    run("demo", settings, source=FixedModel("bench", model), state=state, ready=lambda url: print(url, flush=True))


@contextmanager
def processes(count: int, model: Path, state: Path, address: str, out: str) -> Iterator[dict[str, int]]:
    """Start processes; give their addresses and numbers."""
    command = [sys.executable, "-m", "benchmarks.kafka", str(model), str(state), address, out]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"MLRUN_DBPATH": ""})
        for _ in range(count)
    ]
    try:
        yield {_first_line(process): process.pid for process in started}
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.communicate()


def _first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def owned(address: str) -> list[dict[str, Any]]:
    """The partitions of a process."""
    with urllib.request.urlopen(address + "/healthz", timeout=60) as answer:
        found = json.load(answer)["partitions"]
    return [one for one in found if one["status"] == "owned"]


def fill(brokers: str, topic: str) -> int:
    """Write one message for each sample, keyed by device."""
    from confluent_kafka import Producer

    producer, random = Producer({"bootstrap.servers": brokers, "linger.ms": 50}), np.random.default_rng(0)
    for tick in range(TICKS):
        for device in range(DEVICES):
            producer.produce(topic, body(device, tick, random), f"device-{device}")
        producer.poll(0)
        if len(producer) > 50_000:
            producer.flush()
    producer.flush()
    return TICKS * DEVICES


def cpu(pids: Iterable[int]) -> float:
    """The processor seconds of processes."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def rate(count: int, broker: Any, model: Path, folder: Path, has_output: bool = False) -> tuple[float, float]:
    """Samples a second of all processes together, and processor time of a sample in µs."""
    topic = f"bench-{count}" + ("-out" if has_output else "")
    address = broker.create(topic, PARTITIONS) + f"?group={topic}"
    out = broker.create(f"{topic}-risks", PARTITIONS) if has_output else ""
    with processes(count, model, folder / topic, address, out) as started:
        while sorted(len(owned(url)) for url in started) != [PARTITIONS // count] * count:
            time.sleep(_POLL)
        for pid in started.values():
            os.kill(pid, signal.SIGSTOP)
        total, before = fill(broker.address, topic), cpu(started.values())
        since = time.perf_counter()
        for pid in started.values():
            os.kill(pid, signal.SIGCONT)
        while sum(one["offset"] for url in started for one in owned(url)) < total:
            time.sleep(_POLL)
        seconds = time.perf_counter() - since
        return total / seconds, (cpu(started.values()) - before) / total * 1e6


def main() -> None:
    """Measure one process, one with an output, and two."""
    from tests.broker.broker import kafka_folder, running_broker

    java = shutil.which("java")
    if java is None or not (kafka_folder() / ".complete").exists():
        print("kafka: needs Java, and the broker's files: sh tests/broker/fetch.sh", file=sys.stderr)
        return
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = make_model(folder / "model")
        (folder / "broker").mkdir()
        with running_broker(java, folder / "broker") as broker:
            (one, spent), (two, spent_by_2) = (rate(count, broker, model, folder) for count in (1, 2))
            written, spent_on_both = rate(1, broker, model, folder, has_output=True)
    ratio = round(two / one, 2)
    report(
        "kafka",
        one,
        of_2=round(two),
        of_2_to_1=ratio,
        with_output=round(written),
        cpu_us=round(spent, 1),
        cpu_us_of_2=round(spent_by_2, 1),
        cpu_us_with_output=round(spent_on_both, 1),
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    else:
        main()
