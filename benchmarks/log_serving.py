"""Single samples over HTTP without and with syslog over TCP: latencies, lines counted, processor time.

python -m benchmarks.log_serving [seconds of a round] [samples per second] [lines per second]

Rounds without and with lines alternate. Other programs distort latencies: a round begins when they are quiet, and
is repeated if they use more than a fifth of a core in it. If they never are, ``other_programs`` shows it.
"""

import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx
import msgspec
import numpy as np
import psutil

from netops.config.durations import HOUR, MINUTE, SECOND
from netops.features.spec import FeatureSpec
from netops.logs.columns import LogColumns
from netops.logs.templates.miner import Templates

from .log_reading import TEXTS
from .log_sender import DEVICES, device
from .report import report
from .serving import METRICS, Served, make_model, paced, run, server

ROUNDS, TRIES = 3, 10
#: Cores that other programs may use in a round.
QUIET = 0.2


class Load(NamedTuple):
    """Seconds of a round, samples and lines per second."""

    seconds: float = 12.0
    samples: float = 2_000.0
    lines: float = 20_000.0


class Round(NamedTuple):
    """Latencies in milliseconds, seconds, processor time of the server in seconds, lines sent and counted.

    ``others`` is the number of cores that other programs used.
    """

    latencies: np.ndarray
    seconds: float
    cpu: float
    sent: int
    counted: int
    others: float


def columns() -> LogColumns:
    """Learn the templates of the lines; times of whole seconds need a delay."""
    templates = Templates()
    templates.learn([text.format(small=3, large=2000, state=state) for text in TEXTS for state in ("up", "down")])
    return LogColumns(templates, tuple(range(min(4, len(templates)))), 10 * MINUTE, delay=2 * SECOND)


def bodies(count: int, rate: float) -> list[bytes]:
    """Return samples of all devices in turn; their time is set when they are sent."""
    random = np.random.default_rng(0)
    values = random.normal(0, 0.3, (count, len(METRICS))).round(3).tolist()
    start, found = time.time(), []
    for number, row in enumerate(values):
        sample = {
            "timestamp": start + number / rate,
            "device": device(number),
            **dict(zip(METRICS, row, strict=True)),
        }
        found.append(msgspec.json.encode(sample))
    return found


def one_round(served: Served, port: int, load: Load, with_lines: bool) -> Round:
    """Send samples, with or without lines at the same time."""
    wait_until_quiet()
    process, before = psutil.Process(served.pid), _counted(served)
    sender = None
    if with_lines:
        command = [
            sys.executable,
            "-m",
            "benchmarks.log_sender",
            str(port),
            str(int(load.lines)),
            str(load.seconds),
        ]
        sender = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        time.sleep(1)  # its start takes processor time
    since, cpu, own, busy = time.perf_counter(), sum(process.cpu_times()[:2]), _own(), _busy()
    content = bodies(int(load.samples * (load.seconds - 2)), load.samples)
    latencies = run(paced(served.url, "/telemetry", content, load.samples))
    sent = int(sender.communicate()[0]) if sender is not None else 0
    counted = _counted(served, before + sent) - before
    seconds, cpu = time.perf_counter() - since, sum(process.cpu_times()[:2]) - cpu
    others = (_busy() - busy - (_own() - own) - cpu) / seconds
    return Round(latencies, seconds, cpu, sent, counted, others)


def wait_until_quiet() -> None:
    """Wait until other programs use little processor time, ten minutes at most."""
    for _ in range(600):
        before, own = _busy(), _own()
        time.sleep(1)
        if _busy() - before - (_own() - own) < QUIET:
            return


def _busy() -> float:
    """Return the processor time of all programs in seconds."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def _own() -> float:
    """Return the processor time of this process and of the senders that have ended."""
    times = psutil.Process().cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def quiet_round(served: Served, port: int, load: Load, with_lines: bool) -> Round:
    """Repeat a round until other programs are quiet during it."""
    for _ in range(TRIES):
        found = one_round(served, port, load, with_lines)
        if found.others < QUIET:
            break
    return found


def _counted(served: Served, expected: int = 0) -> int:
    """Return the number of counted messages; wait a little for the expected one."""
    for _ in range(50):
        text = httpx.get(served.url + "/metrics", timeout=30).text
        found = re.search(r'netops_messages_total\{.*"logs".*status="counted"\} (\S+)', text)
        count = int(float(found[1])) if found else 0
        if count >= expected:
            break
        time.sleep(0.1)
    return count


def main(load: Load) -> None:
    """Measure both in turn."""
    counted = columns()
    spec = FeatureSpec((*METRICS, *counted.names), (MINUTE, HOUR))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        TemporaryDirectory() as folder,
        server(
            "ours",
            make_model(Path(folder) / "m", spec, logs=counted.to_dict()),
            Path(folder) / "s",
            f"127.0.0.1:{port}",
        ) as served,
    ):
        start = time.time() - 60
        for first in range(0, DEVICES, 1000):
            samples = [
                {"timestamp": start, "device": device(n), **dict.fromkeys(METRICS, 0.1)}
                for n in range(first, first + 1000)
            ]
            httpx.post(served.url + "/telemetry", json=samples, timeout=60).raise_for_status()
        one_round(served, port, load._replace(seconds=4), with_lines=True)
        rounds = {kind: list[Round]() for kind in (False, True)}
        for _ in range(ROUNDS):
            for kind, found in rounds.items():
                found.append(quiet_round(served, port, load, kind))
    _report(rounds)


def _report(rounds: dict[bool, list[Round]]) -> None:
    p99, cpu = {}, {}
    for kind, found in rounds.items():
        p50, p99[kind] = np.percentile(np.concatenate([one.latencies for one in found]), [50, 99]).tolist()
        samples, seconds = sum(len(one.latencies) for one in found), sum(one.seconds for one in found)
        cpu[kind] = sum(one.cpu for one in found)
        by_round = str([round(float(np.percentile(one.latencies, 99)), 2) for one in found])
        name = f"log_serving: {'with' if kind else 'without'} lines"
        more = {"cpu": cpu[kind] / seconds, "sent": float(sum(one.sent for one in found))}
        more["counted"] = float(sum(one.counted for one in found))
        more["other_programs"] = max(one.others for one in found)
        report(name, samples / seconds, p50_ms=p50, p99_ms=p99[kind], p99_by_round=by_round, **more)
    sample = cpu[False] / sum(len(one.latencies) for one in rounds[False])
    line = (cpu[True] - sample * sum(len(one.latencies) for one in rounds[True])) / sum(
        one.sent for one in rounds[True]
    )
    report(
        "log_serving: p99 with lines / without",
        p99[True] / p99[False],
        us_per_sample=sample * 1e6,
        us_per_line=line * 1e6,
    )


if __name__ == "__main__":
    main(Load(*map(float, sys.argv[1:])))
