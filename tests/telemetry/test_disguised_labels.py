"""Metrics that are the label in disguise, and honest ones that are not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from netops.telemetry.checks.disguised_labels import LabelScan
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import CheckSettings, TelemetrySettings

SAMPLES, MINUTE = 4_000, 60 * 10**9


def device(seed: int, incidents: int = 5) -> dict[str, np.ndarray]:
    """Make a device with incidents at random times, each after a precursor of random length."""
    draw = np.random.default_rng(seed)
    error, alarm = np.zeros(SAMPLES, bool), np.zeros(SAMPLES, bool)
    cpu = draw.normal(40, 4, SAMPLES)
    for start in (
        np.sort(
            draw.integers(0, SAMPLES // incidents - 200, incidents) + np.arange(incidents) * SAMPLES // incidents
        )
        + 100
    ):
        lead = int(draw.integers(3, 60))
        cpu[start - lead : start] += np.linspace(5, 50, lead)
        alarm[start - lead : start + 10] = True
        error[start : start + 10] = True
    starts = np.flatnonzero(error & ~np.roll(error, 1))
    ahead = np.append(starts, SAMPLES * 10)[np.searchsorted(starts, np.arange(SAMPLES))] - np.arange(SAMPLES)
    flips = draw.random(SAMPLES) < 0.02
    uptime = np.arange(SAMPLES) - np.append(-1, starts)[np.searchsorted(starts, np.arange(SAMPLES), side="right")]
    return {
        "error": error,
        "cpu": cpu,
        "alarm": (alarm ^ flips).astype(float),
        "mode": draw.integers(0, 3, SAMPLES).astype(float),
        "uptime": uptime + draw.normal(0, 20, SAMPLES),
        "copy": (error ^ (draw.random(SAMPLES) < 0.0005)).astype(float),
        "severity": np.where(error, 3.0, draw.integers(0, 2, SAMPLES)),
        "moved": ((ahead <= 15) & ~error ^ flips).astype(float),
        "hours_left": ahead * draw.normal(1, 0.2, SAMPLES),
    }


def scanned(*names: str, devices: int = 4) -> dict[str, str]:
    scan = LabelScan(names)
    for seed in range(devices):
        made = device(seed)
        scan.add(np.arange(SAMPLES) * MINUTE, made["error"], {name: made[name] for name in names})
    return scan.findings()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("copy", "follows the label (correlation 0."),
        ("severity", "follows the label (correlation 1.00): a copy of it"),
        ("moved", "changes 15 samples before each incident: a label moved into the past"),
        ("hours_left", "counts down to the incidents (rank correlation 0.9"),
    ],
)
def test_a_label_in_disguise_is_found(name: str, why: str) -> None:
    assert scanned(name)[name].startswith(why)


@pytest.mark.parametrize("name", ["cpu", "alarm", "mode", "uptime"])
def test_an_honest_metric_is_retained(name: str) -> None:
    assert scanned(name) == {}


def test_few_incidents_are_no_evidence_of_a_moved_label() -> None:
    assert "moved" not in scanned("moved", devices=1)


def frame() -> pd.DataFrame:
    frames = []
    for seed in range(4):
        made = device(seed)
        times = pd.Timestamp("2026-01-05", tz="UTC") + pd.to_timedelta(np.arange(SAMPLES), unit="min")
        columns = {name: made[name] for name in ("cpu", "moved", "severity")}
        frames.append(
            pd.DataFrame({"timestamp": times, "device": f"r{seed}", **columns, "is_error": made["error"]})
        )
    return pd.concat(frames)


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "t.parquet"
    frame().to_parquet(path, index=False)
    return path


@pytest.mark.parametrize(
    ("settings", "metrics"),
    [
        (TelemetrySettings(), ("cpu",)),
        (TelemetrySettings(metrics=("*", "moved")), ("cpu", "moved")),
        (TelemetrySettings(checks=CheckSettings(leakage="off")), ("cpu", "moved", "severity")),
    ],
)
def test_it_is_left_out_unless_asked_for(
    tmp_path: Path, telemetry: Path, settings: TelemetrySettings, metrics: tuple[str, ...]
) -> None:
    meta = ingest([telemetry], tmp_path / "out", settings).meta
    assert meta.metrics == metrics
    assert set(meta.left_out) == {"cpu", "moved", "severity"} - set(metrics)
