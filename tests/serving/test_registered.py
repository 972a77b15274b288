"""The champion that a function finds in MLRun's registry when no model is named."""

import os
from pathlib import Path

import pytest

from netops.errors import NetopsError
from netops.serving.mlrun.registered import RegisteredChampion
from tests.serving.conftest import mock_server
from tests.serving.models import make_model
from tests.serving.samples import sample

mlrun = pytest.importorskip("mlrun")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in a database of its own."""
    from netops.tracking.install import install

    monkeypatch.setenv("NETOPS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLRUN_DBPATH", raising=False)
    before = Path.cwd()
    assert install()
    yield mlrun.get_or_create_project("served", str(tmp_path / "project"))
    os.chdir(before)


def log(project, version: str, folder: Path, store: str = "", **given: str) -> None:
    """Log a version of the network's model, as the stages do."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "model.onnx"}
    project.log_model(
        "core-model",
        model_dir=str(folder),
        model_file="model.onnx",
        artifact_path=store or str(folder.parent / f"kept-{version}"),
        labels={"network": "core", "version": version},
        extra_data=files,
        **given,
    )


def test_the_graph_serves_the_version_that_carries_the_tag(project, tmp_path) -> None:
    from netops.serving.mlrun.function import make_serving_function

    log(project, "v1", make_model(tmp_path / "v1", "v1"), tag="champion")
    log(project, "v2", make_model(tmp_path / "v2", "v2", seed=1))
    function = make_serving_function("served", network="core", parameters={"state_path": str(tmp_path / "state")})
    assert not function.spec.build.requirements
    with mock_server(function) as server:
        assert server.test("/telemetry", body=sample("a", 0))["model"] == "v1"


def test_a_new_champion_is_seen(project, tmp_path) -> None:
    source = RegisteredChampion("core", "served")
    log(project, "v1", make_model(tmp_path / "v1", "v1"), tag="champion")
    first = source.champion()
    assert (first.version, (first.path / "card.json").is_file()) == ("v1", True)
    assert source.champion().path == first.path
    log(project, "v2", make_model(tmp_path / "v2", "v2", seed=1), tag="champion")
    assert source.champion().version == "v2"


def test_a_network_without_champion_is_reported(project, tmp_path) -> None:
    missing = "network 'edge' has no champion; train one: netops run"
    with pytest.raises(NetopsError, match=f"{missing}$"):
        RegisteredChampion("edge", "served").champion()
    log(project, "v1", make_model(tmp_path / "v1", "v1"), tag="champion")
    with pytest.raises(NetopsError, match=rf"{missing}; with a champion: core \(--name\)$"):
        RegisteredChampion("edge", "served").champion()


def test_the_downloads_of_old_versions_are_removed(project, tmp_path) -> None:
    source, folders = RegisteredChampion("core", "served"), []
    for number in range(6):
        log(
            project,
            f"v{number}",
            make_model(tmp_path / f"v{number}", f"v{number}"),
            f"memory://v{number}",
            tag="champion",
        )
        folders.append(source.champion().path)
    assert all(folder.name.startswith("netops-") for folder in folders)
    assert [folder.exists() for folder in folders] == [False, False, True, True, True, True]
