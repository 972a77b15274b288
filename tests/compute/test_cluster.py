"""A cluster that fails: each failure is one line."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster

from netops.compute import cluster as cluster_module
from netops.compute.cluster import Cluster, connect, connected, local_cluster
from netops.compute.settings import ComputeSettings
from netops.config.durations import SECOND
from netops.errors import NetopsError, UsageError
from netops.files import read_json
from netops.workflows.settings import read_settings


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "PATIENCE", "3s")


@pytest.mark.usefixtures("quick")
def test_a_scheduler_that_does_not_answer_is_named() -> None:
    with (
        pytest.raises(NetopsError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"),
        connect("tcp://127.0.0.1:1"),
    ):
        pass


def test_one_worker_is_this_process() -> None:
    with connected(ComputeSettings()) as cluster:
        assert cluster is None


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with local_cluster(1) as address, connect(address) as found:
        yield found


def test_a_local_cluster_that_does_not_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[LocalCluster] = []

    async def never(self: LocalCluster) -> None:
        left.append(self)
        await asyncio.sleep(60)

    monkeypatch.setattr(cluster_module, "_CLOSING", 0.5)
    with monkeypatch.context() as patched, local_cluster(1):
        patched.setattr(LocalCluster, "_close", never)
        since = time.monotonic()
    assert time.monotonic() - since < 20
    left[0].close(timeout=20)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """A scheduler and a worker in processes of their own."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> None:
        command = [sys.executable, "-W", "ignore", "-m", *arguments, "--no-dashboard"]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path))

    file = tmp_path / "scheduler.json"
    begin("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    until = time.monotonic() + 30
    while not file.is_file() and time.monotonic() < until:
        time.sleep(0.1)
    address = str(read_json(file)["address"])
    begin("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny")
    yield address, running
    for process in running:
        process.kill()
        process.wait()


def test_a_lost_scheduler_is_one_line(
    scheduler: tuple[str, list["subprocess.Popen[bytes]"]], caplog: pytest.LogCaptureFixture
) -> None:
    address, (process, _) = scheduler
    with (
        pytest.raises(NetopsError, match=f"the Dask scheduler at {address} was lost"),
        connect(address) as cluster,
    ):
        for index, _ in cluster.run(time.sleep, [(0.1,), (60,)]):
            assert index == 0
            process.kill()
    assert not caplog.records


def test_a_cluster_without_workers_is_waited_for_and_refused(
    scheduler: tuple[str, list["subprocess.Popen[bytes]"]],
) -> None:
    address, (_, worker) = scheduler
    with connect(address) as cluster:
        assert cluster.results(abs, [(-1,)]) == [1]
        worker.kill()
        cluster.worker_wait = 2 * SECOND
        started = time.monotonic()
        with pytest.raises(
            NetopsError, match=f"the Dask cluster of {address} has had no worker for 2s .*worker_wait"
        ):
            cluster.results(abs, [(-1,)])
    assert 2 <= time.monotonic() - started < 20


def test_a_task_whose_worker_always_dies_is_refused(cluster: Cluster) -> None:
    with pytest.raises(NetopsError, match=r"a worker of the cluster died 4 times .*worker_memory"):
        list(cluster.run(os._exit, [(1,)]))


def test_a_file_that_workers_do_not_see_is_named(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(NetopsError, match=r"/none: missing on a worker of the cluster; all need the files"):
        list(cluster.run(os.stat, [(str(tmp_path / "none"),)]))


def test_an_error_of_a_task_cancels_the_others(cluster: Cluster) -> None:
    with pytest.raises(NetopsError, match="a task failed on the cluster 4 times: TypeError"):
        list(cluster.run(time.sleep, [("text",), *[(0.3,)] * 20]))
    started = time.monotonic()
    assert cluster.results(abs, [(-1,)]) == [1]
    assert time.monotonic() - started < 3


def test_another_version_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "__version__", "0.0.1")
    with pytest.raises(NetopsError, match=r"has netops \d+\.\d+\.\d+, this is 0\.0\.1: install the same"):
        cluster.results(abs, [(-1,)])


def test_a_memory_limit_is_a_size() -> None:
    assert ComputeSettings(worker_memory="500MB").worker_memory == "500MB"
    with pytest.raises(UsageError, match=r"compute\.worker_memory: '4': write it as 4GiB"):
        ComputeSettings(worker_memory="4")


def test_keys_of_earlier_versions_are_read() -> None:
    settings = read_settings(overrides=["features.workers=3", "features.scheduler=tcp://somewhere:1"])
    assert (settings.compute.workers, settings.compute.scheduler) == (3, "tcp://somewhere:1")
    with pytest.raises(UsageError, match=r"'features\.workers' is the old name of 'compute\.workers'"):
        read_settings(overrides=["features.workers=3", "compute.workers=3"])
