"""Where the files of a model are stored."""

from types import SimpleNamespace

import pytest

from netops.registry.model import models_path

SERVICE = "http://mlrun-api.mlrun:8080"


@pytest.mark.parametrize(
    ("service", "target", "expected"),
    [
        ("", "home/runs/1", "home/models"),
        ("", "elsewhere/1", "home/models"),
        (SERVICE, "home/runs/1", "home/models"),  # the local engine, recorded by a service
        (SERVICE, "shared/netops/1", "shared/netops/1/models"),  # a volume of all pods
    ],
)
def test_folders(monkeypatch, tmp_path, service, target, expected) -> None:
    monkeypatch.setenv("MLRUN_DBPATH", service)
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path / "home"))
    context = SimpleNamespace(artifact_path=str(tmp_path / target))
    assert models_path(context) == str(tmp_path / expected)


def test_an_object_store(monkeypatch) -> None:
    monkeypatch.delenv("MLRUN_DBPATH", raising=False)
    assert models_path(SimpleNamespace(artifact_path="s3://mlrun/netops/1/")) == "s3://mlrun/netops/1/models"
