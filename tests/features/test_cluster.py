import os
import signal
import threading
import time

import pytest

from netops.errors import NetopsError
from netops.features import cluster as cluster_module
from netops.features.build import build_features

from .samples import spec_of
from .test_build import content

SPEC = spec_of()


@pytest.fixture
def one(telemetry, tmp_path):
    build_features(telemetry, tmp_path / "one", SPEC, threads=1)
    return content(tmp_path / "one")


def test_a_local_cluster_writes_the_same_bytes(telemetry, tmp_path, one):
    reports = []
    build_features(telemetry, tmp_path / "many", SPEC, workers=2, progress=lambda *what: reports.append(what))
    assert content(tmp_path / "many") == one
    assert reports[-1][:2] == (951, 951)


@pytest.fixture(scope="module")
def cluster():
    with cluster_module.local_cluster(2) as scheduler:
        yield scheduler


def test_a_killed_worker_changes_nothing(telemetry, tmp_path, one, cluster):
    from dask.distributed import Client

    with Client(cluster, set_as_default=False) as client:
        pids = client.run(os.getpid)
        # Both workers are held up until one of them is dead, so that it dies with work in hand.
        holds = [client.submit(time.sleep, 1.5, workers=[address], pure=False, priority=10) for address in pids]
        threading.Timer(1.0, os.kill, (min(pids.values()), signal.SIGKILL)).start()
        build_features(telemetry, tmp_path / "many", SPEC, scheduler=cluster)
        assert len(holds) == 2
    assert content(tmp_path / "many") == one


def test_an_invalid_split_is_reported_once(telemetry, tmp_path, cluster):
    telemetry.parts[1].write_text("no parquet")
    with pytest.raises(NetopsError, match="part-00001"):
        build_features(telemetry, tmp_path / "out", SPEC, scheduler=cluster)
    assert not list((tmp_path / "out").glob("*"))


def test_a_scheduler_that_does_not_answer_is_named(telemetry, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "PATIENCE", "1s")
    with pytest.raises(NetopsError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        build_features(telemetry, tmp_path / "out", SPEC, scheduler="tcp://127.0.0.1:1")
