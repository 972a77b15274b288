"""The deploy stage with real model folders: what fails, what is retried, and what is in service after it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import mlrun
import pytest

from components import deploy as stage
from netops import registry
from netops.errors import NetopsError
from netops.models.card import read_card
from netops.registry import ProofError
from netops.serving.mlrun.proof import compare
from netops.training.proof import read_proof
from tests.serving.proven import proven_model

RUN = "w1"


def context_in(path: Path) -> Any:
    """The context of a stage of one workflow."""
    labels = {"workflow": RUN}
    run = {
        "metadata": {"name": "deploy", "project": "netops", "uid": uuid4().hex, "labels": labels},
        "spec": {"output_path": str(path)},
    }
    return mlrun.MLClientCtx.from_dict(run, rundb=mlrun.get_run_db())


@pytest.fixture
def deploy(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Deploy a version, logged before, and give the results; the proof is made in this process."""
    mlrun.get_or_create_project("netops", str(tmp_path / "project"))
    monkeypatch.setattr(stage, "prove", lambda folder: compare(read_proof(folder), folder))

    def call(version: str, **more: str) -> dict[str, Any]:
        context = context_in(tmp_path / "kept")
        item = mlrun.get_dataitem(registry.find("core", version).uri)
        stage.deploy(context, item, None, "core", **more)
        return dict(context.results)

    return call


def log(tmp_path: Path, version: str, seed: int) -> Path:
    """Log a model as training does; gives the folder that is kept."""
    folder = proven_model(tmp_path / version, version, seed)
    registry.log_model(context_in(tmp_path / "kept"), "core", folder, read_card(folder), {})
    return Path(registry.find("core", version).path)


def test_a_deployment_that_fails_leaves_the_champion_and_a_retry_is_clear(deploy, tmp_path, monkeypatch) -> None:
    log(tmp_path, "v1", 0)
    assert deploy("v1")["champion"]["version"] == "v1"
    stored = log(tmp_path, "v2", 1)
    whole = (stored / "model.onnx").read_bytes()
    (stored / "model.onnx").write_bytes(whole[: len(whole) // 2])
    for error, words in ((ProofError, "cannot serve"), (NetopsError, "version v2 is rejected")):
        with pytest.raises(error, match=words):
            deploy("v2", compared_with="v1")
        assert registry.the_champion("core").version == "v1"
    assert registry.find("core", "v2").state == registry.REJECTED


def test_what_keeps_the_proof_from_being_made_can_be_retried(deploy, tmp_path, monkeypatch) -> None:
    log(tmp_path, "v1", 0)
    with monkeypatch.context() as patch:

        def full(folder: Path) -> None:
            raise OSError("no space left on device")

        patch.setattr(stage, "prove", full)
        with pytest.raises(OSError, match="no space"):
            deploy("v1", compared_with="none")
    assert registry.champion("core") is None
    results = deploy("v1", compared_with="none", reason="first model of the network")
    assert (results["promoted"], results["rows"]) == ("true", 200)
    assert registry.the_champion("core").state_reason == "first model of the network"
    again = deploy("v1", compared_with="none")
    assert (again["promoted"], again["champion"]["version"]) == ("true", "v1")
    assert len(registry.history("core")) == 1
