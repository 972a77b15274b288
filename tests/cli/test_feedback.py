"""From an alert to the label of the next training: serve, simulate, record feedback, train by schedule."""

import contextlib
import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from netops.cli.main import run
from netops.config.durations import HOUR, MINUTE, SECOND
from netops.feedback.records import read_feedback
from netops.models.card import read_card
from netops.telemetry.dataset import Dataset, rows_of
from netops.training.labelled import label

from .conftest import Call, small

NETWORK = "desk"
#: Many alerts, so that some are of healthy devices; the stretch that is played begins where the generated one ends.
SETTINGS = small("training.families.sklearn.enabled=false", "alerting.false_alarms_per_device_week=200")
BEGIN = 1_767_571_200 * SECOND + 10 * HOUR  # 2026-01-05T10:00:00Z


@dataclass
class Recorded:
    """The feedback recorded while the server ran."""

    confirmed: list[dict]
    repaired: list[dict]
    dismissed: list[dict]
    device: str
    exported: dict


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "netops.cli.main", *arguments]


def call(*arguments: str) -> Any:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert run([*arguments, "--json"]) == 0
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    call("run", "--name", NETWORK, *SETTINGS)
    serving = command("serve", "--name", NETWORK, "--port", "0", "--json", *SETTINGS)
    process = subprocess.Popen(serving, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())["url"]
    process.terminate()
    process.wait(30)
    process.stdout.close()


@pytest.fixture(scope="module")
def recorded(server: str, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Replay three hours, record feedback on each alert of a device, and two incidents."""
    call("simulate", "--to", server, "--speed", "0", "--duration", "3h", *SETTINGS)
    alerts = [
        row for row in call("alerts", "list", "--name", NETWORK, "--limit", "100000") if row["kind"] == "risk"
    ]
    assert len(alerts) >= 6
    groups = [alerts[index::3] for index in range(3)]
    for alert in groups[0][:5]:  # the server, over HTTP
        answer = httpx.post(f"{server}/alerts/{alert['id']}/feedback", json={"verdict": "confirmed", "by": "ada"})
        assert answer.json()["changed"]
    for alert in groups[1][:3]:  # the command, at that server
        call("alerts", "repaired", alert["id"][:10], "--to", server, "--note", "new optic")
    for alert in groups[2][:3]:  # the command, on its own files
        call("alerts", "dismiss", alert["id"], "--name", NETWORK)
    device = sorted(row["device"] for row in httpx.get(server + "/devices", params={"limit": 99}).json())[0]
    log = tmp_path_factory.mktemp("logs") / "outages.csv"
    log.write_text(f"device,start,end,kind\n{device},{at(9 * MINUTE)},{at(12 * MINUTE)},power\nnobody,{at(0)},,\n")
    call("incidents", "add", str(log), "--name", NETWORK)
    pager = {"device": device, "start": at(HOUR), "end": at(HOUR + 2 * MINUTE), "source": "pager", "id": "1"}
    assert httpx.post(server + "/incidents", json=pager).json()["recorded"] == 1
    exported = httpx.get(server + "/feedback").json()
    return Recorded(groups[0][:5], groups[1][:3], groups[2][:3], device, exported)


def at(moment: int) -> str:
    return str(np.datetime64(BEGIN + moment, "ns").astype("datetime64[s]")) + "Z"


@pytest.fixture(scope="module")
def trained(recorded: Recorded) -> str:
    """The run of a schedule that was due once."""
    from netops.scheduling import schedules
    from netops.scheduling.launcher import LocalLauncher
    from netops.scheduling.scheduler import Scheduler

    (added,) = call("schedule", "add", "--cron", "0 3 * * *", "--name", NETWORK, *SETTINGS)
    assert added["workflow"] == "main"
    from netops.workflows.project import load_project

    load_project()
    database = schedules._database()
    due = time.time_ns() + 48 * HOUR
    Scheduler(database, "netops", LocalLauncher(database), lambda: due).step()
    (schedule,) = call("schedule", "list")
    assert schedule["last_state"] == "completed"
    return schedule["last_run"]


@pytest.fixture(scope="module")
def features(trained: str) -> Dataset:
    from netops.workflows.records.runs import run_folder

    return Dataset.open(run_folder(trained) / "features")


@pytest.mark.slow
@pytest.mark.timeout(580)
def test_verdicts_are_stored_with_the_features_and_their_source(features: Dataset, recorded: Recorded) -> None:
    rows = {row["alert"]: row for row in features.verdicts().to_pylist()}
    groups = (("confirmed", recorded.confirmed), ("repaired", recorded.repaired), ("dismissed", recorded.dismissed))
    statement = {alert["id"]: verdict for verdict, alerts in groups for alert in alerts}
    assert {name: row["verdict"] for name, row in rows.items()} == statement
    assert {row["source"] for row in rows.values()} == {"operator"}
    assert rows[recorded.confirmed[0]["id"]]["by"] == "ada"


@pytest.mark.timeout(580)
def test_recorded_incidents_are_incidents_of_the_features_with_their_source(
    features: Dataset, recorded: Recorded
) -> None:
    found = {
        source: row
        for row in features.incidents().to_pylist()
        for source in row["source"].split(", ")
        if row["device"] == recorded.device
    }
    assert {"outages.csv", "pager"} <= set(found)
    assert {source for row in features.incidents().to_pylist() for source in row["source"].split(", ")} == {
        "telemetry",
        "outages.csv",
        "pager",
    }
    for source, start, end in (("outages.csv", 9 * MINUTE, 12 * MINUTE), ("pager", HOUR, HOUR + 2 * MINUTE)):
        assert found[source]["start"].value <= BEGIN + start
        assert found[source]["end"].value >= BEGIN + end
        assert failing(features, recorded.device, BEGIN + start, BEGIN + end).all()


def failing(features: Dataset, device: str, start: int, end: int) -> np.ndarray:
    for table in features.tables(["timestamp", "device", "is_error"]):
        rows = rows_of(table)
        if device in rows.devices:
            index = rows.devices.index(device)
            span = slice(rows.offsets[index], rows.offsets[index + 1])
            times = rows.timestamps[span]
            return table.column("is_error").to_numpy()[span][(times >= start) & (times < end)]
    raise AssertionError(device)


@pytest.mark.timeout(580)
def test_the_labels_of_the_training_are_there(features: Dataset, recorded: Recorded) -> None:
    labelled = label(features, 10 * MINUTE, "time", 0)[0]
    first = labelled.sequences.offsets[labelled.sequences.devices.index(recorded.device)]
    times = labelled.sequences.timestamps[first : first + 100]
    before = (times >= BEGIN) & (times < BEGIN + 9 * MINUTE)
    known = labelled.labels[first : first + 100][before]  # within the horizon before the recorded incident
    assert (known == 1).any()
    assert (known != 0).all()
    verdicts = labelled.verdicts
    assert len(verdicts) == len(recorded.confirmed) + len(recorded.repaired) + len(recorded.dismissed)
    assert verdicts.coming.any()  # else nothing is tested
    for index in np.flatnonzero(verdicts.coming):
        device = verdicts.device[index]
        span = slice(*labelled.sequences.offsets[device : device + 2])
        here = labelled.sequences.timestamps[span] == verdicts.opened[index]
        assert labelled.training_labels[span][here].tolist() == [1]
        assert labelled.left_out[span][here].all()


@pytest.mark.timeout(580)
def test_the_card_and_the_report_name_the_sources_of_labels(trained: str, recorded: Recorded) -> None:
    from netops.workflows.records.runs import run_folder

    folder = run_folder(trained)
    labels = read_card(folder / "work" / "models" / "xgboost").data["labels"]
    assert set(labels["incidents"]) >= {"telemetry"}
    assert sum(labels["verdicts"].values()) == len(recorded.confirmed) + len(recorded.repaired) + len(
        recorded.dismissed
    )
    report = (folder / "report.html").read_text()
    assert "outages.csv" in report
    assert "alerts confirmed" in report
    counts = Dataset.open(folder / "telemetry").meta.details["feedback"]
    assert counts["devices_without_telemetry"] == ["nobody"]


@pytest.mark.timeout(580)
def test_what_was_exported_teaches_a_network_elsewhere(
    netops: Call, features: Dataset, recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "said.json"
    assert netops("alerts", "export", "--out", out, "--name", NETWORK).code == 0
    assert json.loads(out.read_text()) == recorded.exported
    assert len(read_feedback(out).verdicts) == len(features.verdicts())
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path / "elsewhere"))
    source = features.path.parent / "telemetry"
    from netops.telemetry.settings import TelemetrySettings
    from netops.workflows.stages.feedback import feedback_of, with_feedback

    assert feedback_of(NETWORK, TelemetrySettings()).verdicts == []
    assert feedback_of(NETWORK, TelemetrySettings(feedback="ignore")).incidents == []
    copy = shutil.copytree(source, tmp_path / "copy")
    merged = with_feedback(Dataset.open(copy), NETWORK, TelemetrySettings(feedback=str(out)))
    assert merged.verdicts().equals(features.verdicts())
