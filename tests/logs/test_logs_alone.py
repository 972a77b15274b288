"""Devices that have logs and no metrics: their samples, their incidents, and a model of logs alone."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from netops.cli.main import run
from netops.errors import NetopsError
from netops.logs.columns import LogColumns
from netops.logs.devices import DeviceNames
from netops.logs.reading import LogReader
from netops.logs.samples import LogSpans
from netops.models.card import ModelCard
from netops.telemetry.checks.run import check_telemetry
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings
from netops.workflows.settings import Settings, read_settings
from netops.workflows.stages.log_columns import with_logs
from netops.workflows.stages.log_samples import INTERVAL, ingest_logs, telemetry_for, with_log_devices
from tests.logs.test_log_columns import card, data

__all__ = ["data"]
START, MINUTE = pd.Timestamp("2026-01-05T00:00:00Z"), 60 * 10**9


def write_log(path: Path, *messages: tuple[float, str]) -> Path:
    lines = [f"<190>1 {(START + pd.Timedelta(f'{s}s')).isoformat()} {d} app - - - up\n" for s, d in messages]
    path.write_text("".join(lines))
    return path


def settings_of(logs: Path, *more: str) -> Settings:
    return read_settings(None, ["training.horizon=10m", f"logs.paths=[{logs}]", *more])


@pytest.fixture
def incidents(tmp_path: Path) -> Path:
    path = tmp_path / "incidents.csv"
    path.write_text("device,start,end\nR1,2026-01-05T00:10:30Z,2026-01-05T00:12:30Z\n")
    return path


def test_samples_are_multiples_of_the_interval(tmp_path: Path) -> None:
    path = write_log(tmp_path / "l", (200, "b"), (61, "a"), (95, "a"), (301, "c"), (60, "d"))
    spans = LogSpans.read(LogReader([path], devices=DeviceNames()), {"d"})
    origin = START.value
    assert spans.first == {"b": origin + 200 * 10**9, "a": origin + 61 * 10**9, "c": origin + 301 * 10**9}
    assert spans.times("a", MINUTE).tolist() == [origin + n * MINUTE for n in (2, 3, 4, 5, 6)]
    assert spans.times("c", MINUTE).tolist() == [origin + 6 * MINUTE]
    inside = spans.within(origin + 90 * 10**9, origin + 220 * 10**9)
    assert inside.first == {"b": origin + 200 * 10**9, "a": origin + 90 * 10**9}
    assert inside.last == origin + 220 * 10**9
    spans.write(tmp_path / "s.parquet", MINUTE)
    table = pq.read_table(tmp_path / "s.parquet").to_pandas()
    assert table.groupby("device").size().to_dict() == {"a": 5, "b": 3, "c": 1}
    assert (table.timestamp.astype("int64") % MINUTE == 0).all()


def test_logs_become_telemetry(tmp_path: Path, incidents: Path) -> None:
    logs = write_log(tmp_path / "log", *[(30 * n, d) for n in range(60) for d in ("r1", "r2.example")])
    settings = settings_of(logs)
    dataset = ingest_logs(settings, tmp_path / "t", tmp_path, incidents)
    assert (dataset.meta.metrics, dataset.meta.devices, dataset.meta.interval_seconds) == ((), 2, 60)
    assert dataset.meta.incidents == 1
    counted = with_logs(dataset, settings, tmp_path / "c")
    frame = pd.concat([pd.read_parquet(part) for part in counted.parts])
    assert counted.meta.details["logs"]["interval"] == MINUTE
    assert frame.groupby("device", observed=True).log_message_count.sum().to_dict() == {"r1": 60, "r2.example": 60}
    failing = frame[frame.is_error]
    assert failing.timestamp.tolist() == [START + pd.Timedelta(f"{n}min") for n in (11, 12)]
    assert set(failing.device) == {"r1"}


def test_an_interval_is_chosen(tmp_path: Path) -> None:
    logs = write_log(tmp_path / "log", *[(30 * n, "r1") for n in range(60)])
    dataset = ingest_logs(settings_of(logs, "logs.interval=10s"), tmp_path / "t", tmp_path)
    assert dataset.meta.interval_seconds == 10
    assert dataset.meta.samples == 178
    again = ingest_logs(settings_of(logs), tmp_path / "t2", tmp_path, interval=5 * MINUTE)
    assert again.meta.details[INTERVAL] == 5 * MINUTE


def test_hosts_without_telemetry_become_devices(data: tuple[Path, Path], tmp_path: Path) -> None:
    source, logs = data
    telemetry = ingest([source], tmp_path / "t", TelemetrySettings())
    lines = logs.read_text().splitlines()
    time = lines[100].split(" ")[1]
    extra = [f"<190>1 {time} spare app - - - hello\n"]
    (tmp_path / "log").write_text("\n".join(lines) + "\n" + "".join(extra))
    start = (pd.Timestamp(time) + pd.Timedelta("30min")).isoformat()
    end = (pd.Timestamp(time) + pd.Timedelta("40min")).isoformat()
    (tmp_path / "i.csv").write_text(f"device,start,end\nspare,{start},{end}\nnobody,{start},{end}\n")
    settings = settings_of(tmp_path / "log")
    joined = with_log_devices(telemetry, settings, tmp_path / "j", tmp_path, tmp_path / "i.csv")
    frame = pd.concat([pd.read_parquet(part) for part in joined.parts], ignore_index=True)
    before = pd.concat([pd.read_parquet(part) for part in telemetry.parts], ignore_index=True)
    spare = frame[frame.device == "spare"]
    pd.testing.assert_frame_equal(
        frame[frame.device != "spare"].astype({"device": str}), before.astype({"device": str}), check_dtype=False
    )
    assert spare[list(telemetry.meta.metrics)].isna().all().all()
    assert spare.timestamp.min() - pd.Timestamp(time) < pd.Timedelta(f"{telemetry.meta.interval_seconds}s")
    assert spare.is_error.sum() > 0
    assert joined.meta.devices == telemetry.meta.devices + 1
    assert joined.meta.incidents == telemetry.meta.incidents + 1
    assert joined.meta.samples == len(frame)
    assert joined.meta.details[INTERVAL] == round(telemetry.meta.interval_seconds * 1e9)
    counted = with_logs(joined, settings, tmp_path / "c")
    frame = pd.concat([pd.read_parquet(part) for part in counted.parts])
    assert frame[frame.device == "spare"].log_message_count.sum() == 1
    # Nothing to add: the telemetry is returned as it is.
    assert with_log_devices(telemetry, settings_of(logs), tmp_path / "k", tmp_path) is telemetry


def test_hosts_without_values_are_no_duplicates(data: tuple[Path, Path], tmp_path: Path) -> None:
    telemetry = ingest([data[0]], tmp_path / "t", TelemetrySettings())
    at = (pd.Timestamp(data[1].read_text().split(" ")[1]) - START).total_seconds()
    logs = write_log(tmp_path / "log", (at, "spare"), (at, "other"), (at + 7200, "spare"))
    joined = with_log_devices(telemetry, settings_of(logs), tmp_path / "j", tmp_path)
    assert joined.meta.devices == telemetry.meta.devices + 2
    report = check_telemetry(joined, TelemetrySettings().checks, 600 * 10**9)
    assert not any("several names" in line for line in report.lines())


def test_a_model_of_logs_alone_scores_logs(tmp_path: Path) -> None:
    logs = write_log(tmp_path / "log", *[(30 * n, "r1") for n in range(60)])
    settings = settings_of(logs)
    dataset = with_logs(ingest_logs(settings, tmp_path / "t", tmp_path), settings, tmp_path / "c")
    declared = dataset.meta.details["logs"]
    names = LogColumns.from_dict(declared).names
    model = ModelCard.from_dict({**card(declared).to_dict(), "metrics": list(names)})
    again = telemetry_for(model, (), settings_of(logs, "logs.interval=7m"), tmp_path, None)
    assert again.meta.interval_seconds == 60
    with pytest.raises(NetopsError, match="model v takes metrics; give the telemetry with --telemetry"):
        telemetry_for(card(declared), (), settings, tmp_path, None)


def test_neither_telemetry_nor_logs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words in (["score", "--out", str(tmp_path / "r.csv")], ["backtest"]):
        assert run(words) == 2
        assert "give --telemetry PATH, or --logs PATH for a model of logs alone" in capsys.readouterr().err
    assert run(["run", "--incidents", str(tmp_path)]) == 2
    assert "--incidents requires --telemetry or --logs" in capsys.readouterr().err


def test_a_run_on_logs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLRUN_DBPATH", raising=False)
    draw, lines, rows = np.random.default_rng(1), [], []
    for device in (f"r{n}" for n in range(20)):
        starts = 3600 * np.arange(1, 24, 3) + draw.integers(0, 3600, 8)
        for start in starts.tolist():
            moment = START + pd.Timedelta(f"{start}s")
            rows.append(f"{device},{moment.isoformat()},{(moment + pd.Timedelta('5min')).isoformat()}")
            lines += [(start - s, device, "<187>", "fan 3 failed") for s in (300, 200, 60)]
        lines += [(s, device, "<190>", "session opened") for s in draw.integers(0, 86_400, 200).tolist()]
    text = [
        f"{priority}1 {(START + pd.Timedelta(f'{s}s')).isoformat()} {device} app - - - {message}\n"
        for s, device, priority, message in sorted(lines)
    ]
    (tmp_path / "edge.log").write_text("".join(text))
    (tmp_path / "incidents.csv").write_text("device,start,end\n" + "\n".join(rows))
    words = ["run", "--logs", str(tmp_path / "edge.log"), "--incidents", str(tmp_path / "incidents.csv"), "--json"]
    for name in ("tensorflow", "sklearn", "extra_trees"):
        words += ["--set", f"training.families.{name}.enabled=false"]
    words += ["--set", "training.horizon=10m", "--set", "features.windows=[10m,1h]", "--set", "promotion.first=any"]
    assert run(words) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["name"] == "edge"
    assert summary["telemetry"]["interval_seconds"] == 60
    assert all(name.startswith("log_") for name in summary["telemetry"]["metrics"])
    assert summary["promoted"] is True
    assert summary["models"]["xgboost"]["event_recall"] > 0.8
    out = tmp_path / "risks.csv"
    assert run(["score", "--name", "edge", "--logs", str(tmp_path / "edge.log"), "--out", str(out)]) == 0
    risks = pd.read_csv(out)
    assert len(risks) == summary["telemetry"]["samples"]
    assert risks.risk.notna().all()
