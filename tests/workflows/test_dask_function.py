"""The Dask function of the project."""

from pathlib import Path

import pytest

from netops.config.durations import MINUTE
from netops.errors import NetopsError
from netops.simulator.generate import generate
from netops.workflows.project import load_project
from netops.workflows.settings import read_settings
from netops.workflows.stages.dask import NAME, scheduler_address
from netops.workflows.stages.preparation import build, spec_for


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLRUN_DBPATH", raising=False)
    load_project()


def test_its_features_are_those_of_one_process_byte_for_byte(tmp_path: Path) -> None:
    settings = read_settings()
    telemetry = generate(settings.metrics, tmp_path / "t", devices=3, duration=20 * MINUTE, start=0, seed=1)
    spec = spec_for(telemetry, settings)
    there = build(telemetry, tmp_path / "there", spec, read_settings(overrides=[f"compute.scheduler={NAME}"]))
    here = build(telemetry, tmp_path / "here", spec, settings)
    assert [part.read_bytes() for part in there.parts] == [part.read_bytes() for part in here.parts]


def test_an_address_is_taken_as_it_is() -> None:
    with scheduler_address("tcp://somewhere:8786") as address:
        assert address == "tcp://somewhere:8786"


@pytest.mark.parametrize(("name", "says"), [("dsak", "no function 'dsak'"), ("train", "of kind job, not dask")])
def test_another_function_is_refused(name: str, says: str) -> None:
    with pytest.raises(NetopsError, match=says), scheduler_address(name):
        pass
