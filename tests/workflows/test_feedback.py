"""Where a training, a look for drift and a backtest find what people said."""

from pathlib import Path

import pytest

from netops.client.feedback import LocalFeedbackClient
from netops.errors import NetopsError
from netops.feedback.records import Incident
from netops.telemetry.dataset import Dataset
from netops.telemetry.settings import TelemetrySettings
from netops.workflows.stages.feedback import feedback_of, merge_into_copy, with_feedback
from tests.feedback.test_merging import iso, telemetry

HERE = TelemetrySettings()


@pytest.fixture
def incident_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path / "home"))
    incident = Incident(source="log", id="1", device="a", start=iso(30), end=iso(33))
    assert LocalFeedbackClient("core").record([incident]) == {"recorded": 1, "changed": 0, "known": 0}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.usefixtures("incident_log")
def test_local_feedback_is_merged_and_reported(tmp_path: Path) -> None:
    dataset = telemetry(tmp_path / "t", {"a": [(5, 8)], "b": []})
    assert with_feedback(dataset, "edge", HERE) is dataset  # another network
    assert with_feedback(dataset, "core", TelemetrySettings(feedback="ignore")) is dataset
    merged = with_feedback(dataset, "core", HERE)
    assert [row["source"] for row in merged.incidents().to_pylist()] == ["telemetry", "log"]


@pytest.mark.usefixtures("incident_log")
def test_feedback_is_merged_into_test_telemetry(tmp_path: Path) -> None:
    dataset = telemetry(tmp_path / "t", {"a": [(5, 8)]})
    telemetry(tmp_path / "t" / "_test", {"a": []})
    merged = with_feedback(dataset, "core", HERE)
    assert merged.test is not None
    assert merged.test.incidents().column("source").to_pylist() == ["log"]


@pytest.mark.usefixtures("incident_log")
def test_telemetry_of_somebody_elses_is_not_touched(tmp_path: Path) -> None:
    own = telemetry(tmp_path / "own", {"a": [], "b": []})
    before, scratch = contents(own.path), tmp_path / "scratch"
    scratch.mkdir()
    merged = merge_into_copy(own, "core", HERE, scratch)
    assert merged.path.parent == scratch
    assert merged.meta.incidents == 1
    assert contents(own.path) == before
    assert Dataset.open(own.path).meta.incidents == 0
    mine = telemetry(scratch / "mine", {"a": []})
    assert merge_into_copy(mine, "core", HERE, scratch).path == mine.path


@pytest.mark.parametrize("where", ["/nowhere.json", "http://127.0.0.1:9", "ftp://x"])
def test_feedback_that_is_not_there_stops_the_run_in_one_line(where: str) -> None:
    with pytest.raises(NetopsError) as error:
        feedback_of("core", TelemetrySettings(feedback=where))
    assert "\n" not in str(error.value)
    assert where in str(error.value)
