"""Logs as metrics: from the command line to feature vectors, without a look at the test split."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from netops.cli.main import run
from netops.errors import NetopsError
from netops.logs.columns import GENERAL, SINCE_ERROR, LogColumns
from netops.models.card import ModelCard
from netops.simulator.generate import generate
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings
from netops.workflows.settings import read_settings
from netops.workflows.stages.log_columns import with_generated_logs, with_logs, with_logs_of
from tests.inspection.test_inspection import telemetry

LAST = 0.85


def write_logs(path: Path, source: Path) -> None:
    """Write chatter, a message before each incident, and one that only the end of the time has."""
    frame = pd.read_csv(source, parse_dates=["timestamp"])
    draw, lines = np.random.default_rng(2), []
    until = frame.timestamp.quantile(LAST)
    for device, rows in frame.groupby("host"):
        starts = rows.timestamp[(rows.is_error.diff() == 1)]
        lines += [
            (start - pd.Timedelta("4min"), device, "<187>", f"fan {n} failed") for n, start in enumerate(starts)
        ]
        lines += [(start - pd.Timedelta("3min"), device, "<188>", "late news") for start in starts if start > until]
        some = draw.choice(rows.timestamp, 600)
        lines += [(pd.Timestamp(time), device, "<190>", f"session of user {draw.integers(99)}") for time in some]
    lines.sort(key=lambda line: line[:2])
    path.write_text("".join(f"{p}1 {t.isoformat()} {d} app - - - {text}\n" for t, d, p, text in lines))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("logs")
    source = telemetry(folder)
    write_logs(folder / "syslog", source)
    return source, folder / "syslog"


def card(logs: dict[str, Any], events: dict[str, Any] | None = None) -> ModelCard:
    spec = {"metrics": ["a"], "windows": [1], "statistics": []}
    return ModelCard("n", "f", "v", ("a",), spec, ("a",), 1, logs=logs, events=events or {})  # type: ignore[arg-type]


def settings_with(logs: Path | None, *more: str):  # type: ignore[no-untyped-def]
    return read_settings(None, ["training.horizon=10m", *([f"logs.paths=[{logs}]"] if logs else []), *more])


def test_counts_become_metrics(data: tuple[Path, Path], tmp_path: Path) -> None:
    source, logs = data
    dataset = ingest([source], tmp_path / "t", TelemetrySettings())
    assert with_logs(dataset, settings_with(None)) is dataset
    found = with_logs(dataset, settings_with(logs), tmp_path / "counted")
    columns = LogColumns.from_dict(found.meta.details["logs"])
    texts = set(columns.texts().values())
    assert "app: fan <*> failed" in texts
    assert found.meta.metrics == (*dataset.meta.metrics, *columns.names)
    assert found.meta.incidents == dataset.meta.incidents
    table = pq.read_table(found.parts[0])
    total = sum(np.nansum(table.column(name).to_numpy()) for name in GENERAL[:1])
    assert total == len(logs.read_text().splitlines())
    assert Dataset.open(tmp_path / "t").meta == dataset.meta


def test_templates_of_the_test_split_are_new(data: tuple[Path, Path], tmp_path: Path) -> None:
    source, logs = data
    found = with_logs(ingest([source], tmp_path / "t", TelemetrySettings()), settings_with(logs))
    columns = LogColumns.from_dict(found.meta.details["logs"])
    assert columns.templates.find(["app: late news"]).tolist() == [-1]
    assert pq.read_table(found.parts[0]).column("log_rare_template_count").to_numpy().sum() > 0


def test_declared_columns_are_counted_again(data: tuple[Path, Path], tmp_path: Path) -> None:
    source, logs = data
    dataset = ingest([source], tmp_path / "t", TelemetrySettings())
    first = with_logs(dataset, settings_with(logs), tmp_path / "a")
    declared = json.loads(json.dumps(first.meta.details["logs"]))
    again = with_logs_of(dataset, card(declared), settings_with(logs), tmp_path / "b")
    pd.testing.assert_frame_equal(pd.read_parquet(again.parts[0]), pd.read_parquet(first.parts[0]))
    assert with_logs_of(first, card(declared), settings_with(None), tmp_path / "c") is first
    assert with_logs_of(dataset, card({}), settings_with(None), tmp_path / "c") is dataset
    with pytest.raises(NetopsError, match="that another model declares"):
        with_logs_of(first, card({**declared, "reach": 1}), settings_with(logs), tmp_path / "c")
    with pytest.raises(NetopsError, match="give the logs of this telemetry with --logs"):
        with_logs_of(dataset, card(declared), settings_with(None), tmp_path / "c")


def test_without_incidents_no_template_is_selected(data: tuple[Path, Path], tmp_path: Path) -> None:
    source, logs = data
    frame = pd.read_csv(source).drop(columns="is_error")
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = with_logs(ingest([tmp_path / "t.csv"], tmp_path / "t", TelemetrySettings()), settings_with(logs))
    columns = LogColumns.from_dict(found.meta.details["logs"])
    assert columns.names == (*GENERAL, SINCE_ERROR)
    assert columns.templates.find(["app: late news", "app: fan 3 failed"]).tolist()[0] == -1
    assert len(columns.templates) > 0


def test_samples_without_logs_are_unknown(data: tuple[Path, Path], tmp_path: Path) -> None:
    source, logs = data
    lines = logs.read_text().splitlines()
    (tmp_path / "half").write_text("\n".join(lines[: len(lines) // 2]))
    found = with_logs(ingest([source], tmp_path / "t", TelemetrySettings()), settings_with(tmp_path / "half"))
    values = pq.read_table(found.parts[0]).column("log_message_count").to_numpy()
    assert 0.4 < np.isnan(values).mean() < 0.6


def test_a_delay_is_that_of_the_messages(data: tuple[Path, Path], tmp_path: Path) -> None:
    source, logs = data
    lines = [line.split(" ", 2) for line in logs.read_text().splitlines()]
    later = [
        f"{head} {(pd.Timestamp(time) + pd.Timedelta('90s')).isoformat()} {rest}" for head, time, rest in lines
    ]
    (tmp_path / "later").write_text("\n".join(later))
    dataset = ingest([source], tmp_path / "t", TelemetrySettings())
    delayed = with_logs(dataset, settings_with(logs, "logs.delay=90s", "logs.max_columns=0"), tmp_path / "a")
    shifted = with_logs(dataset, settings_with(tmp_path / "later", "logs.max_columns=0"), tmp_path / "b")
    assert delayed.meta.details["logs"]["delay"] == 90 * 10**9
    names = list(LogColumns.from_dict(delayed.meta.details["logs"]).names)
    frames = [pd.read_parquet(found.parts[0])[names[:3]] for found in (delayed, shifted)]
    pd.testing.assert_frame_equal(*frames)


def test_generated_logs_are_counted(tmp_path: Path) -> None:
    fleet = {"devices": 12, "duration": "6h", "interval": "1m"}
    given = [f"fleet.{key}={value}" for key, value in fleet.items()]
    given += ["training.horizon=10m", "training.split=device"]
    settings = read_settings(None, [*given, "generated_logs.enabled=true"])
    start = settings.fleet.start_time
    dataset = generate(
        settings.metrics,
        tmp_path / "t",
        devices=12,
        duration=settings.fleet.duration,
        interval=settings.fleet.interval,
        start=start,
        seed=settings.fleet.seed,
    )
    assert with_generated_logs(dataset, settings_with(None), start, start) is dataset
    found = with_generated_logs(dataset, settings, start, start)
    frame = pd.concat([pd.read_parquet(part) for part in found.parts])
    assert set(GENERAL) <= set(found.meta.metrics)
    assert 0.5 < frame.log_message_count.sum() / (12 * 6 * 40) < 2
    failing = frame.groupby("device", observed=True).is_error.max()
    errors = frame.groupby("device", observed=True).log_error_count.sum()
    assert (errors[failing] > 0).all()


def test_features_on_the_command_line(
    data: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, logs = data
    words = ["features", "--telemetry", str(source), "--out", str(tmp_path / "f"), "--set", "training.horizon=10m"]
    assert run([*words, "--logs", str(logs), "--json"]) == 0
    out, notes = capsys.readouterr()
    assert "log_error_count" in json.loads(out)["features"]["metrics"]
    assert "templates learned on the training split" in notes
    features = Dataset.open(tmp_path / "f")
    assert features.meta.details["logs"]["selected"]
    names = pq.read_schema(features.parts[0]).names
    assert any(name.startswith("log_error_count_mean_") for name in names)


def test_training_does_not_count_logs(
    data: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, logs = data
    for given, message in (([], "features are built: netops features --logs"), (["--logs"], "remove --logs")):
        words = [
            "features",
            "--telemetry",
            str(source),
            "--out",
            str(tmp_path / "f"),
            "--set",
            "training.horizon=10m",
        ]
        assert run([*words, *(word for option in given for word in (option, str(logs)))]) == 0
        assert run(["train", "--features", str(tmp_path / "f"), "--logs", str(logs)]) == 2
        assert message in capsys.readouterr().err


def test_inspection_names_the_logs_for_the_run(
    data: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, logs = data
    assert run(["inspect", str(source), "--logs", str(logs), "--log-format", "rfc5424", "--json"]) == 0
    command = json.loads(capsys.readouterr().out)["command"]
    assert command.endswith(f"--logs {logs} --log-format rfc5424")


def test_a_card_without_logs_is_as_before() -> None:
    assert not {"logs", "events"} & set(card({}).to_dict())
    counted = replace(card({}), metrics=("a", "log_error_count"), logs={"columns": ["log_error_count"]})
    assert ModelCard.from_dict(counted.to_dict()) == counted
    assert counted.schema.metrics == ("a",)


def test_logs_of_other_devices_are_refused(data: tuple[Path, Path], tmp_path: Path) -> None:
    dataset = ingest([data[0]], tmp_path / "t", TelemetrySettings())
    (tmp_path / "other").write_text("<187>1 2026-01-05T01:00:00Z spare app - - - fan 1 failed\n" * 5)
    with pytest.raises(NetopsError, match="no log messages of a device of the telemetry; their hosts: spare"):
        with_logs(dataset, settings_with(tmp_path / "other"), tmp_path / "counted")
