"""``netops inspect``: describe telemetry before a run."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from netops.cli.main import run
from netops.inspection.content import MAX_METRICS, Inspection, inspect_telemetry
from netops.inspection.page import write_page
from netops.telemetry.settings import TelemetrySettings
from netops.training.settings import TrainingSettings

MINUTE = 60 * 10**9


def telemetry(folder: Path, rows: int = 2_000, devices: int = 4, metrics: int = 2, gap: int = 300) -> Path:
    """Write telemetry in which every device fails again and again."""
    frames = []
    for device in range(devices):
        draw = np.random.default_rng(device)
        error = np.zeros(rows, int)
        for start in range(150 + 37 * device, rows - 20, gap + 11 * device):
            error[start : start + 10] = 1
        times = pd.date_range("2026-01-05", periods=rows, freq="1min", tz="UTC")
        columns = {f"m{number}": draw.normal(50, 5, rows).round(2) for number in range(metrics)}
        columns["octets"] = np.cumsum(draw.integers(1, 100, rows))
        frames.append(pd.DataFrame({"timestamp": times, "host": f"r{device}", **columns, "is_error": error}))
    path = folder / "t.csv"
    pd.concat(frames).to_csv(path, index=False)
    return path


def inspected(
    folder: Path, path: Path, horizon: int | None = 10 * MINUTE, incidents: Path | None = None
) -> Inspection:
    training = TrainingSettings(horizon=horizon)
    return inspect_telemetry([str(path)], folder / "scratch", TelemetrySettings(), training, incidents)


def test_it_says_what_is_there_and_what_would_work(tmp_path: Path) -> None:
    found = inspected(tmp_path, telemetry(tmp_path))
    assert (found.meta.samples, found.meta.devices, found.meta.interval_seconds) == (8_000, 4, 60)
    facts = {metric.name: metric for metric in found.metrics}
    assert facts["m0"].minimum < 40 < facts["m0"].median < 60 < facts["m0"].maximum
    assert facts["octets"].counter
    assert [plan.works for plan in found.plans] == [True, True]
    for plan in found.plans:
        assert sum(plan.incidents) <= found.meta.incidents
        assert min(plan.incidents) >= 1
    text = "\n".join(found.lines())
    assert "device: host, 4 devices" in text
    assert found.command == f"netops run --telemetry {tmp_path}/t.csv --horizon 10m"


def test_the_command_names_the_split_that_works(tmp_path: Path) -> None:
    found = inspected(tmp_path, telemetry(tmp_path, rows=400), horizon=120 * MINUTE)
    works = [plan for plan in found.plans if plan.works]
    assert works
    assert all(not plan.works for plan in found.plans[len(works) :])
    assert f"--split {works[0].split}" in found.command or works[0].split == "time"
    assert next(plan.why_not for plan in found.plans if not plan.works).startswith("no split by")


def test_a_run_by_its_command_starts_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path / "home"))
    found = inspected(tmp_path, telemetry(tmp_path))
    words = shlex.split(found.command)
    assert words[:2] == ["netops", "run"]
    features = ["features", *words[2:4], "--out", str(tmp_path / "features")]
    assert run(features) == 0


def test_telemetry_without_incidents_asks_for_them(tmp_path: Path) -> None:
    path = telemetry(tmp_path)
    frame = pd.read_csv(path).drop(columns="is_error")
    frame.to_csv(path, index=False)
    found = inspected(tmp_path, path)
    assert found.plans == []
    assert "--incidents LOG.csv" in found.command


def test_a_log_is_summed_up(tmp_path: Path) -> None:
    path, log = telemetry(tmp_path), tmp_path / "inc.csv"
    log.write_text(
        "Configuration item,Opened,Resolved\nR0,2026-01-05 03:00,2026-01-05 03:10\nx,2026-01-05,2026-01-06\n"
    )
    found = inspected(tmp_path, path, incidents=log)
    assert any(line.endswith("of devices without telemetry: x (first: line 3)") for line in found.reading())


def test_many_columns_are_looked_at_in_part_and_it_says_so(tmp_path: Path) -> None:
    found = inspected(tmp_path, telemetry(tmp_path, rows=400, devices=2, metrics=MAX_METRICS + 50))
    assert len(found.metrics) <= MAX_METRICS
    assert any(f"not examined: {MAX_METRICS} of {MAX_METRICS + 51} columns are" in line for line in found.lines())


@pytest.mark.parametrize("with_incidents", [True, False])
def test_the_page_is_self_contained(tmp_path: Path, with_incidents: bool) -> None:
    path = telemetry(tmp_path)
    if not with_incidents:
        pd.read_csv(path).drop(columns="is_error").to_csv(path, index=False)
    page = write_page(tmp_path / "page.html", inspected(tmp_path, path)).read_text()
    assert "What is in this telemetry" in page
    assert ("<svg" in page) == with_incidents
    assert "://" not in page.replace("http://www.w3.org", "")


@pytest.fixture
def answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path / "home"))

    def call(*arguments: str) -> str:
        assert run(["inspect", *arguments]) == 0
        return capsys.readouterr().out

    return call


def test_the_command_gives_json(tmp_path: Path, answer: Callable[..., str]) -> None:
    path = telemetry(tmp_path)
    found = json.loads(answer(str(path), "--horizon", "10m", "--set", "telemetry.exclude=m1", "--json"))
    assert found["plans"][0]["incidents"]["training"] > 0
    assert found["left_out"]["m1"] == "excluded by telemetry: exclude"
    assert found["command"].endswith("--set telemetry.exclude=m1")
    assert not (tmp_path / "home").exists()
