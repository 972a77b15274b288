"""What the benchmarks of the server share: a model, servers in processes of their own, and senders."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from netops.config.durations import HOUR, MINUTE
from netops.features.spec import FeatureSpec

METRICS = ("cpu_utilization", "latency", "packet_loss", "throughput")
SPEC = FeatureSpec(METRICS, (MINUTE, HOUR))
#: A native model beside the model folder, for the peer.
NATIVE = "native.json"


def make_model(folder: Path, spec: FeatureSpec = SPEC, **about: Any) -> Path:
    """Fit XGBoost (200 trees of depth 6) to a pattern with noise, calibrated; the native model lies beside it."""
    from netops.models.card import ModelCard
    from netops.models.onnx_file import build_model, calibrated, save_model
    from netops.models.platt import Platt
    from netops.models.scaling import Scaling
    from netops.training.families.protocol import FitData
    from netops.training.families.xgboost import XGBoost

    random, width = np.random.default_rng(0), len(spec.names)
    features = random.normal(size=(20_000, width)).astype(np.float32)
    odds = features[:, 0] + features[:, 12] * features[:, 24] + random.normal(size=len(features))
    labels = (odds > 2).astype(np.float32)
    data = FitData(features, labels, np.ones(len(labels)), np.zeros(len(labels), dtype=bool))
    fitted = XGBoost().fit(data, seed=0, threads=2)
    scaling = Scaling(np.zeros(width), np.ones(width), 1e9, False)
    spec_values, horizon = spec.to_dict(), 10 * MINUTE
    card = ModelCard(
        "demo", "xgboost", "bench", spec.names, spec_values, spec.metrics, horizon, threshold=0.9, **about
    )
    # As trained models are: the server tells risk and probability.
    save_model(
        folder, calibrated(build_model(scaling, fitted), Platt(0.9, -0.1, len(labels), int(labels.sum()))), card
    )
    fitted.booster.save_model(folder / NATIVE)
    return folder


@contextmanager
def server(kind: str, model: Path, state: Path, syslog: str = "") -> Iterator["Served"]:
    """Start ``ours`` (with syslog at an address) or the ``stock`` server, and stop it in the end."""
    since = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serving_process", kind, str(model), str(state), syslog],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"MLRUN_DBPATH": ""},
    )
    try:
        assert process.stdout is not None
        address = next(line.split()[1] for line in process.stdout if line.startswith("READY "))
        yield Served(address, process.pid, time.perf_counter() - since)
    finally:
        process.terminate()
        process.wait(30)


class Served(msgspec.Struct):
    """A running server."""

    url: str
    pid: int
    seconds: float

    def memory(self) -> float:
        """Resident memory in MB."""
        import psutil

        return float(psutil.Process(self.pid).memory_info().rss / 1e6)


def body(device: int, tick: int, random: Any) -> bytes:
    """One sample of a device."""
    values = dict(zip(METRICS, random.normal(0, 0.3, len(METRICS)).round(3).tolist(), strict=True))
    return msgspec.json.encode({"timestamp": 1_700_000_000 + 5 * tick, "device": f"device-{device}", **values})


def run(work: Awaitable[Any]) -> Any:
    """Run a sender, on the quicker loop."""
    import uvloop

    async def main() -> Any:
        return await work

    return uvloop.run(main())


async def closed(
    url: str, path: str, bodies: Callable[[int], Iterator[bytes]], connections: int
) -> tuple[int, float]:
    """Send one request after the other on each connection; give their number and the seconds they took."""
    from benchmarks.sender import Sender

    async def lane(number: int) -> int:
        connection, count = Sender(url), 0
        for content in bodies(number):
            await connection.request("POST", path, content)
            count += 1
        await connection.close()
        return count

    since = time.perf_counter()
    counts = await asyncio.gather(*(lane(number) for number in range(connections)))
    return sum(counts), time.perf_counter() - since


async def paced(
    url: str, path: str, bodies: list[bytes], rate: float, connections: int = 8
) -> np.ndarray[Any, Any]:
    """Send at a fixed rate, whether answers come or not; give milliseconds from when each request was due."""
    from benchmarks.sender import Sender

    free: asyncio.Queue[Any] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(Sender(url))
    begun, latencies = time.perf_counter() + 0.1, []

    async def one(number: int, content: bytes) -> None:
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        connection = await free.get()
        await connection.request("POST", path, content)
        latencies.append(time.perf_counter() - due)
        free.put_nowait(connection)

    await asyncio.gather(*(one(number, content) for number, content in enumerate(bodies)))
    return np.array(latencies) * 1e3
