"""Artifacts on a path of v3io: what a stage uploads, the next one brings back, through the platform's client."""

from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import mlrun
import numpy as np
import pandas as pd
import pytest

from netops.errors import NetopsError
from netops.telemetry.dataset import TEST, Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings
from netops.tracking import folders
from tests.serving.models import make_model
from tests.telemetry.v3io_peer import Platform, web_api


@pytest.fixture
def platform(embedded, monkeypatch):
    monkeypatch.setenv("V3IO_ACCESS_KEY", "key")
    platform = Platform()
    before = mlrun.mlconf.v3io_api
    with web_api(platform) as host:
        mlrun.mlconf.v3io_api = f"http://{host}"
        mlrun.store_manager._stores.clear()
        yield platform
        close_stores()
    mlrun.mlconf.v3io_api = before


def close_stores() -> None:
    """MLRun keeps a connection to each store until the process ends; the peer of a test is gone before."""
    for store in mlrun.store_manager._stores.values():
        if client := getattr(store, "client", None):
            client.close()
    mlrun.store_manager._stores.clear()


def context_in(project: str, path: str) -> mlrun.MLClientCtx:
    """Make the context of a run by itself."""
    run = {"metadata": {"name": "stage", "project": project, "uid": uuid4().hex}, "spec": {"output_path": path}}
    return mlrun.MLClientCtx.from_dict(run, rundb=mlrun.get_run_db())


@pytest.fixture
def context(platform, tmp_path):
    project = mlrun.get_or_create_project("on-v3io", str(tmp_path / "project"))
    return context_in(project.name, "v3io:///projects/netops")


def dataset(folder: Path) -> Dataset:
    times = pd.date_range("2026-01-05T12:00:00Z", periods=60, freq="5s")
    frame = pd.DataFrame({"timestamp": times, "device": "d0", "cpu": np.arange(60) % 7})
    folder.mkdir()
    frame.to_csv(folder / "t.csv", index=False)
    made = ingest([folder / "t.csv"], folder / "made", TelemetrySettings())
    ingest([folder / "t.csv"], made.path / TEST, TelemetrySettings())
    return Dataset.open(made.path)


def test_a_dataset_comes_back_with_the_one_for_testing_in_it(context, platform, tmp_path) -> None:
    made = dataset(tmp_path / "source")
    folders.log_dataset(context, "telemetry", made)
    index = f"projects/netops/{context.uid}/telemetry"
    assert f"{index}/part-00000.parquet" in platform.objects
    logged = context.artifacts[-1]["spec"]["target_path"]
    again = Dataset.open(folders.local_folder(mlrun.get_dataitem(logged)))
    assert again.path != made.path
    assert again.meta == made.meta
    assert list(again.tables()) == list(made.tables())
    assert again.test is not None


def test_an_incomplete_folder_is_reported(platform) -> None:
    with pytest.raises(NetopsError, match="is incomplete"):
        folders.local_folder(mlrun.get_dataitem("v3io:///projects/netops/half"))


def test_a_model_is_downloaded_with_all_its_files(context, platform, tmp_path) -> None:
    from netops import registry
    from netops.models.card import read_card
    from netops.serving.mlrun.model_folder import local_folder

    folder = make_model(tmp_path / "model")
    card = read_card(folder)
    artifact = registry.log_model(context, "core", folder, card, {})
    for again in (folders.local_model(artifact.uri), local_folder(artifact.uri)):
        names = {path.name for path in folder.iterdir()}
        assert {path.name for path in again.iterdir()} >= names
        assert all((again / name).read_bytes() == (folder / name).read_bytes() for name in names)


def test_the_steps_of_a_workflow_share_a_path_and_a_single_stage_has_its_own() -> None:
    def folder(path: str, **labels: str) -> str:
        return folders.output_path_of(SimpleNamespace(artifact_path=path, uid="u1", labels=labels))

    assert folder("/home/artifacts") == "/home/artifacts/u1"
    assert folder("v3io:///projects/netops/") == "v3io:///projects/netops/u1"
    assert folder("/home/runs/w1", workflow="w1") == "/home/runs/w1"
    assert folder("/home/artifacts/u1") == "/home/artifacts/u1"


def test_a_stage_in_its_own_pod_promotes_without_a_project_at_hand(embedded, monkeypatch, tmp_path) -> None:
    from netops import registry
    from netops.models.card import read_card

    project = mlrun.get_or_create_project("netops", str(tmp_path / "project"))
    context, folder = context_in(project.name, str(tmp_path / "kept")), make_model(tmp_path / "model")
    registry.log_model(context, "pod", folder, read_card(folder), {})
    monkeypatch.setattr(mlrun.projects.pipelines._current_pipeline_context(), "project", None)
    monkeypatch.delenv("MLRUN_ACTIVE_PROJECT", raising=False)
    version = registry.versions("pod")[0].version
    registry.prove("pod", version)
    registry.promote("pod", version, "the first")
    assert registry.the_champion("pod").version == version
    assert [entry["version"] for entry in registry.history("pod")] == [version]
