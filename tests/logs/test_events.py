"""Events as metrics: maintenance, configuration changes, errors, from CSV files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from netops.cli.main import run
from netops.errors import NetopsError
from netops.logs.events import EventColumns, slug
from netops.logs.tally import Tally
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings
from netops.workflows.settings import read_settings
from netops.workflows.stages.log_columns import with_logs, with_logs_of
from tests.inspection.test_inspection import telemetry
from tests.logs.test_log_columns import card

SECOND = 10**9
EVENTS = """datetime,machineID,errorID
2026-01-05 01:00:30,r0,error1
2026-01-05 02:00:00,R0,Error 2
2026-01-05 02:00:00,r0,error1
2026-01-05 03:00:00,spare,error1
2026-01-05 03:00:00,r1,
2026-01-06 08:00:00,r1,late kind
"""


def settings_with(events: Path | None):  # type: ignore[no-untyped-def]
    return read_settings(None, ["training.horizon=10m", *([f"logs.events=[{events}]"] if events else [])])


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "errors.csv"
    path.write_text(EVENTS)
    return path


def test_events_become_metrics(tmp_path: Path, events: Path) -> None:
    dataset = ingest([telemetry(tmp_path)], tmp_path / "t", TelemetrySettings())
    found = with_logs(dataset, settings_with(events), tmp_path / "counted")
    assert found.meta.metrics[-5:] == (
        *("event_error1_count", "event_error_2_count", "event_other_count"),
        *("event_error1_seconds_since", "event_error_2_seconds_since"),
    )
    frame = pd.read_parquet(found.parts[0]).set_index(["device", "timestamp"])
    rows = frame.loc["r0"]
    seen = rows[rows.event_error1_count > 0]
    assert [str(time)[:19] for time in seen.index] == ["2026-01-05 01:01:00", "2026-01-05 02:00:00"]
    assert seen.event_error1_seconds_since.tolist() == [30, 0]
    assert rows.event_error1_seconds_since.isna().sum() == 61
    assert frame.loc["r1"].event_other_count.sum() == 1
    assert frame.event_error_2_count.sum() == 1
    declared = json.loads(json.dumps(found.meta.details["events"]))
    again = with_logs_of(dataset, card({}, declared), settings_with(events), tmp_path / "again")
    pd.testing.assert_frame_equal(pd.read_parquet(again.parts[0]), pd.read_parquet(found.parts[0]))
    with pytest.raises(NetopsError, match="with --events"):
        with_logs_of(dataset, card({}, declared), settings_with(None), tmp_path / "again")


def test_on_the_command_line(tmp_path: Path, events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["features", "--telemetry", str(telemetry(tmp_path)), "--out", str(tmp_path / "f"), "--json"]
    assert run([*words, "--events", str(events), "--set", "training.horizon=10m"]) == 0
    out, notes = capsys.readouterr()
    assert "event_error1_count" in json.loads(out)["features"]["metrics"]
    assert "events: 2 kinds counted: error1, error_2" in notes
    assert "warn: events: rows set aside without a kind: 1" in notes
    assert "warn: events: messages set aside, of hosts that are no device of the telemetry: 1 of spare" in notes


def test_a_file_without_kinds_is_refused(tmp_path: Path) -> None:
    dataset = ingest([telemetry(tmp_path)], tmp_path / "t", TelemetrySettings())
    (tmp_path / "x.csv").write_text("time,host,value\n2026-01-05 01:00:30,r0,5\n")
    with pytest.raises(NetopsError, match="no columns of time and kind; names of the latter: kind, event"):
        with_logs(dataset, settings_with(tmp_path / "x.csv"))


def test_the_most_frequent_kinds_are_counted() -> None:
    found = EventColumns.frequent(["b", "a", "B ", "c", "a", "d"], 2, 10)
    assert found.kinds == ("a", "b")
    assert found.find(["A", "c", "b"]).tolist() == [0, -1, 1]
    assert EventColumns.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert [slug(kind) for kind in ("Link-Down!", "%%", "Ärger")] == ["link_down", "unnamed", "rger"]


def test_counts_and_times_of_events() -> None:
    tally = Tally(EventColumns(("a", "b"), 10))
    tally.add(np.array([1, 2, 25]), np.full(3, -1, np.int8), np.array([0, -1, 1], np.int32))
    found = tally.take(np.array([5, 20, 30]))
    assert found[:, :3].tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert found[:, 3].tolist() == [4 / SECOND, 19 / SECOND, 29 / SECOND]
    assert np.isnan(found[:2, 4]).all()
    assert found[2, 4] == 5 / SECOND


def test_a_kind_named_other_counts_with_the_other_kinds() -> None:
    columns = EventColumns.frequent(["Other", "Other", "reboot"], 5, SECOND)
    assert columns.names == ("event_reboot_count", "event_other_count", "event_reboot_seconds_since")
    assert columns.find(["other", "reboot", "never seen"]).tolist() == [-1, 0, -1]
