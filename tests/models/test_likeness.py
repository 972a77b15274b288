"""Telemetry that is not like what a model was trained on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from netops.errors import NetopsError
from netops.models.background import background_of
from netops.models.card import ModelCard
from netops.models.likeness import likeness
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.network_schema import NetworkSchema
from netops.telemetry.settings import TelemetrySettings

METRICS = ("cpu", "latency", "loss")


def telemetry(seed: int = 0, seconds: int = 60, rows: int = 2_000) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    times = pd.date_range("2026-01-05", periods=rows, freq=f"{seconds}s", tz="UTC")
    columns = {
        "cpu": draw.normal(40, 8, rows),
        "latency": draw.lognormal(2, 0.5, rows),
        "loss": draw.poisson(0.2, rows).astype(float),
    }
    return pd.DataFrame({"timestamp": times, "device": "r1", **columns})


def card() -> ModelCard:
    values = telemetry()[list(METRICS)].to_numpy()
    background = background_of(values, np.ones(len(values)), METRICS, 0)
    return ModelCard("n", "xgboost", "v", METRICS, {}, METRICS, 1, interval_seconds=60.0, background=background)


def dataset(folder: Path, frame: pd.DataFrame) -> Dataset:
    frame.to_parquet(folder / "t.parquet", index=False)
    return ingest([folder / "t.parquet"], folder / "out", TelemetrySettings(), like=NetworkSchema(METRICS))


def lines(folder: Path, frame: pd.DataFrame) -> list[str]:
    return list(likeness(dataset(folder, frame), card()).lines())


def test_telemetry_of_another_day_is_alike(tmp_path: Path) -> None:
    assert lines(tmp_path, telemetry(seed=1)) == []


def test_a_busier_day_is_alike(tmp_path: Path) -> None:
    frame = telemetry(seed=1)
    frame[["latency", "loss"]] *= 3
    assert lines(tmp_path, frame) == []


def test_missing_metrics_are_named(tmp_path: Path) -> None:
    assert lines(tmp_path, telemetry().drop(columns=["latency", "loss"])) == [
        "warn: latency, loss: missing: the model was trained with these metrics"
    ]


@pytest.mark.parametrize(("factor", "shown"), [(0.01, "1/"), (1_000, "1e+03"), (8, "8")])
def test_another_unit_is_found(tmp_path: Path, factor: float, shown: str) -> None:
    frame = telemetry(seed=1)
    frame["cpu"] *= factor
    (line,) = lines(tmp_path, frame)
    assert line.startswith(f"warn: cpu: values are about {shown}")


@pytest.mark.parametrize(("seconds", "shown"), [(5, "5s"), (300, "5m")])
def test_another_interval_is_reported(tmp_path: Path, seconds: int, shown: str) -> None:
    (line,) = lines(tmp_path, telemetry(seed=1, seconds=seconds))
    assert line.startswith(f"warn: a sample every {shown}, in training every ")


def test_nothing_known_is_rejected(tmp_path: Path) -> None:
    frame = telemetry()
    frame[list(METRICS)] = np.nan
    with pytest.raises(NetopsError, match="no metric of the model has a value: cpu, latency, loss"):
        lines(tmp_path, frame)
