"""Every stage on a cluster gives the bytes of one process, also if a worker dies meanwhile."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from netops.compute.cluster import Cluster, connect, local_cluster
from netops.config.durations import HOUR, SECOND
from netops.errors import NetopsError
from netops.features.build import build_features
from netops.features.spec import FeatureSpec
from netops.simulator.generate import generate
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.dataset import Dataset
from tests.simulator.examples import DEFAULT, START

SPEC = FeatureSpec(("cpu_utilization", "latency"), (60 * SECOND,))
#: Four hours of 200 devices are three files.
ARGUMENTS: dict[str, Any] = {"devices": 200, "duration": 4 * HOUR, "start": START, "seed": 5}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with local_cluster(2) as address, connect(address) as found:
        yield found


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    out = tmp_path_factory.mktemp("one") / "telemetry"
    return generate(GeneratorSettings.from_yaml(DEFAULT), out, **ARGUMENTS)


@pytest.fixture(scope="module")
def features(telemetry: Dataset) -> Dataset:
    return build_features(telemetry, telemetry.path.parent / "features", SPEC)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def a_worker_dies(cluster: Cluster) -> Iterator[None]:
    """Hold up both workers until one of them is dead, so that it dies with tasks of the block."""
    pids = cluster.client.run(os.getpid)
    holds = [cluster.client.submit(time.sleep, 1.0, workers=[address], pure=False, priority=10) for address in pids]
    timer = threading.Timer(0.6, os.kill, (min(pids.values()), signal.SIGKILL))
    timer.start()
    yield
    timer.join()
    assert len(holds) == 2
    assert set(cluster.client.run(os.getpid).values()) != set(pids.values())


def test_telemetry_is_generated_as_by_one_process(telemetry: Dataset, cluster: Cluster, tmp_path: Path) -> None:
    with a_worker_dies(cluster):
        generate(GeneratorSettings.from_yaml(DEFAULT), tmp_path / "out", cluster=cluster, **ARGUMENTS)
    assert len(telemetry.parts) == 3
    assert content(tmp_path / "out") == content(telemetry.path)


def test_features_are_those_of_one_process(
    telemetry: Dataset, features: Dataset, cluster: Cluster, tmp_path: Path
) -> None:
    reports: list[tuple[int, int, str]] = []
    with a_worker_dies(cluster):
        build_features(
            telemetry, tmp_path / "out", SPEC, cluster=cluster, progress=lambda *what: reports.append(what)
        )
    assert content(tmp_path / "out") == content(features.path)
    assert reports[-1][:2] == (telemetry.meta.samples, telemetry.meta.samples)


def test_an_unreadable_file_is_reported_once(telemetry: Dataset, cluster: Cluster, tmp_path: Path) -> None:
    broken = Dataset(tmp_path / "telemetry", telemetry.meta)
    shutil.copytree(telemetry.path, broken.path)
    broken.parts[1].write_text("no parquet")
    with pytest.raises(NetopsError, match="part-00001"):
        build_features(broken, tmp_path / "out", SPEC, cluster=cluster)
    assert not list((tmp_path / "out").glob("*"))
