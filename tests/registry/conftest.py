"""A run database of the test's own, with models in it that are no more than their records."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

mlrun = pytest.importorskip("mlrun")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The embedded run database in a fresh folder."""
    from netops.tracking.install import install

    monkeypatch.setenv("NETOPS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLRUN_DBPATH", raising=False)
    before = Path.cwd()
    assert install()
    yield mlrun.get_run_db()
    os.chdir(before)


@pytest.fixture
def trained(database: Any) -> Callable[..., None]:
    """Log versions as a training does, without their files."""
    return lambda *versions, network="core": [log_version(database, network, version) for version in versions]


def log_version(database: Any, network: str, version: str) -> None:
    """Log a version of a network's model."""
    key = f"{network}-model"
    document = {
        "kind": "model",
        "metadata": {
            "key": key,
            "project": "netops",
            "tree": f"run-{version}",
            "labels": {"network": network, "family": "xgboost", "version": version},
        },
        "spec": {"db_key": key, "target_path": f"/nowhere/{version}/", "model_file": "model.onnx"},
    }
    database.store_artifact(key, document, project="netops", tree=f"run-{version}")
