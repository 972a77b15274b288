"""Every stage on a cluster gives the bytes of one process, also if a worker dies meanwhile."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netops.compute.cluster import Cluster, connect, local_cluster
from netops.config.durations import HOUR, MINUTE, SECOND
from netops.errors import NetopsError
from netops.features.build import build_features
from netops.features.spec import FeatureSpec
from netops.models.card import ModelCard
from netops.simulator.generate import generate
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples, prepare_examples
from netops.training.families.registry import Families
from netops.training.families.xgboost import XGBoost
from netops.training.labelled import _latest
from netops.training.settings import TrainingSettings
from netops.training.train import split_risks, train_family
from tests.simulator.examples import DEFAULT, START

SPEC = FeatureSpec(("cpu_utilization", "latency"), (60 * SECOND,))
TREES = XGBoost(n_estimators=20, max_depth=4, learning_rate=0.2)
#: Four hours of 200 devices are three files.
ARGUMENTS: dict[str, Any] = {"devices": 200, "duration": 4 * HOUR, "start": START, "seed": 5}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with local_cluster(2) as address, connect(address) as found:
        yield found


@pytest.fixture
def mortal() -> Iterator[Cluster]:
    """A cluster of which a worker dies: the other one finishes, whenever the dead one is replaced."""
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


def test_telemetry_is_generated_as_by_one_process(telemetry: Dataset, mortal: Cluster, tmp_path: Path) -> None:
    with a_worker_dies(mortal):
        generate(GeneratorSettings.from_yaml(DEFAULT), tmp_path / "out", cluster=mortal, **ARGUMENTS)
    assert len(telemetry.parts) == 3
    assert content(tmp_path / "out") == content(telemetry.path)


def test_features_are_those_of_one_process(
    telemetry: Dataset, features: Dataset, mortal: Cluster, tmp_path: Path
) -> None:
    reports: list[tuple[int, int, str]] = []
    with a_worker_dies(mortal):
        build_features(
            telemetry, tmp_path / "out", SPEC, cluster=mortal, progress=lambda *what: reports.append(what)
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


SETTINGS = TrainingSettings(
    horizon=10 * MINUTE, cross_fit="never", max_rows=20_000, families=Families(xgboost=TREES)
)


@pytest.fixture(scope="module")
def examples(features: Dataset) -> Examples:
    return prepare_examples(features, SETTINGS, features.path.parent / "work")


def test_examples_are_those_of_one_process(
    features: Dataset, examples: Examples, mortal: Cluster, tmp_path: Path
) -> None:
    _latest.clear()  # labels of one process
    with a_worker_dies(mortal):
        found = prepare_examples(features, SETTINGS, tmp_path, cluster=mortal)
    assert content(found.folder) == content(examples.folder)


def test_features_are_chosen_as_by_one_process(features: Dataset, cluster: Cluster, tmp_path: Path) -> None:
    few = replace(SETTINGS, max_features=4)
    here, there = (prepare_examples(features, few, tmp_path / str(at), cluster=at) for at in (None, cluster))
    assert len(here.names) == 4
    assert content(here.folder) == content(there.folder)


def train(examples: Examples, out: Path, settings: TrainingSettings, cluster: Cluster | None = None) -> ModelCard:
    # Risks that are stored with the examples would be read.
    for path in examples.folder.glob("risks-*"):
        path.unlink()
    return train_family(examples, "xgboost", settings, out, network="demo", cluster=cluster)


def test_what_fits_one_process_is_fitted_there(examples: Examples, cluster: Cluster, tmp_path: Path) -> None:
    here = train(examples, tmp_path / "here", SETTINGS)
    risks = {split: split_risks(examples, tmp_path / "here", split) for split in ("validation", "test")}
    there = train(examples, tmp_path / "there", SETTINGS, cluster)
    assert there.data["read"] == here.data["read"] == "memory"
    assert (tmp_path / "there" / "model.onnx").read_bytes() == (tmp_path / "here" / "model.onnx").read_bytes()
    for split, wanted in risks.items():
        np.testing.assert_array_equal(split_risks(examples, tmp_path / "there", split), wanted)
    assert not [path for path in examples.folder.iterdir() if path.name.startswith(".")]


def test_a_champion_is_scored_by_the_workers(examples: Examples, mortal: Cluster, tmp_path: Path) -> None:
    train(examples, tmp_path / "model", SETTINGS)
    wanted = split_risks(examples, tmp_path / "model", "validation")
    for path in examples.folder.glob("risks-*"):
        path.unlink()
    with a_worker_dies(mortal):
        found = split_risks(examples, tmp_path / "model", "validation", mortal)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.slow
def test_trees_are_grown_by_the_workers(examples: Examples, mortal: Cluster, tmp_path: Path) -> None:
    trees = replace(TREES, n_estimators=150, early_stopping_rounds=150)
    large = replace(SETTINGS, memory_values=100_000, families=Families(xgboost=trees))
    card = train(examples, tmp_path / "undisturbed", large, mortal)
    assert (card.data["read"], card.data["workers"], card.iterations) == ("cluster", 2, 150)
    assert card.data["fitted_rows"] == len(examples.array("labels"))
    with a_worker_dies_while_trees_grow(mortal):
        again = train(examples, tmp_path / "disturbed", large, mortal)
    assert again.version == card.version
    assert (tmp_path / "disturbed" / "model.onnx").read_bytes() == (
        tmp_path / "undisturbed" / "model.onnx"
    ).read_bytes()


@contextmanager
def a_worker_dies_while_trees_grow(cluster: Cluster) -> Iterator[None]:
    """Kill a worker as soon as both are in XGBoost's collective training."""
    pids = cluster.client.run(os.getpid)

    def kill() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            running = cluster.client.run(lambda dask_worker: list(map(str, dask_worker.state.executing)))
            if sum("fn-" in str(keys) for keys in running.values()) == len(pids):
                time.sleep(0.3)
                os.kill(max(pids.values()), signal.SIGKILL)
                return
            time.sleep(0.05)

    thread = threading.Thread(target=kill)
    thread.start()
    yield
    thread.join()
    assert set(cluster.client.run(os.getpid).values()) != set(pids.values())
