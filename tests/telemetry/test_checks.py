"""Checks before training: each finds what it is for, and nothing in telemetry that is well."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from netops.config.durations import MINUTE, SECOND
from netops.errors import NetopsError
from netops.telemetry.checks.run import check_telemetry
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.network_schema import NetworkSchema
from netops.telemetry.settings import CheckSettings, TelemetrySettings

START = pd.Timestamp("2026-01-05T12:00:00Z")
SAMPLES, DEVICES = 2_000, 4
HORIZON = 10 * MINUTE
Spoil = Callable[[pd.DataFrame], pd.DataFrame]


def telemetry() -> pd.DataFrame:
    """Make telemetry, a sample a minute, in which nothing is wrong."""
    draw = np.random.default_rng(5)
    frames = []
    for device in range(DEVICES):
        begins = np.sort(draw.choice(np.arange(30, SAMPLES - 10), 8, replace=False))
        rows = np.arange(SAMPLES)
        frames.append(
            pd.DataFrame(
                {
                    "timestamp": START + pd.to_timedelta(rows, unit="min"),
                    "device": f"router{device}",
                    "cpu": draw.normal(50, 5, SAMPLES),
                    "loss": draw.normal(1, 0.1, SAMPLES),
                    "is_error": ((rows[:, None] >= begins) & (rows[:, None] < begins + 4)).any(axis=1),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def dataset(folder: Path, spoil: Spoil = lambda frame: frame, **options: object) -> Dataset:
    spoil(telemetry()).to_parquet(folder / "t.parquet", index=False)
    return ingest([folder / "t.parquet"], folder / "out", TelemetrySettings(**options))  # type: ignore[arg-type]


def in_error(frame: pd.DataFrame) -> pd.Series:
    return frame.groupby("device").is_error.transform(
        lambda flags: flags.iloc[::-1].rolling(11, 1).max().iloc[::-1]
    )


def at_minute(minute: int, each: int) -> Spoil:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        rows = frame.groupby("device").cumcount()
        return frame.assign(is_error=(rows % each).between(minute, minute + 2))

    return spoil


def test_telemetry_that_is_well_passes(tmp_path: Path) -> None:
    report = check_telemetry(dataset(tmp_path), CheckSettings(), HORIZON)
    assert report.findings == ()
    assert len(report.passed) == 7
    report.raise_if_refused()


CASES: dict[str, tuple[Spoil, str, str]] = {
    "schema": (lambda f: f.assign(loss=f.loss.where(f.index % 3 == 0)), "loss", "known for 33% of the samples"),
    "infinite": (lambda f: f.assign(loss=f.loss.where(f.index != 5, np.inf)), "loss", "1 infinite values"),
    "out of order": (lambda f: f.sample(frac=1, random_state=1), "samples", r"of 8000 .*out of order|out of order"),
    "duplicates": (lambda f: pd.concat([f, f.iloc[:9]]), "samples", "9 of 8009 with the device and time"),
    "clock": (
        lambda f: f.assign(timestamp=f.timestamp.where(f.device != "router1", f.timestamp - pd.Timedelta("9000d"))),
        "router1",
        "are outside of those of the other devices",
    ),
    "gaps": (
        lambda f: f[(f.device != "router2") | ~f.groupby("device").cumcount().between(500, 1200)],
        "router2",
        r"no data for 35% of its time \(1 gaps, ",
    ),
    "copies": (
        lambda f: pd.concat([f, f[f.device == "router0"].assign(device="core")]),
        "core, router0",
        "the same telemetry under several names",
    ),
    "names": (
        lambda f: f.assign(device=f.device.replace({"router1": "ROUTER0.example.net"})),
        "ROUTER0.example.net, router0",
        "look like one device",
    ),
    "label delay": (
        lambda f: f.assign(is_error=f.is_error & (f.groupby("device").cumcount() < 800)),
        "incidents",
        r"no incident in the last 20h, where one starts every",
    ),
    "knows the future": (
        lambda f: f.assign(ttf=in_error(f) + np.random.default_rng(0).normal(0, 0.01, len(f))),
        "ttf",
        r"ROC AUC of 1\.000",
    ),
    "periodic": (at_minute(7, 97), "incidents", "one starts every 97m on router0, router1, router2, router3"),
    "same minute": (at_minute(7, 60), "incidents", "start at the same minute of the hour"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_found(tmp_path: Path, case: str) -> None:
    spoil, subject, message = CASES[case]
    report = check_telemetry(dataset(tmp_path, spoil), CheckSettings(), HORIZON)
    found = {finding.subject: finding.message for finding in report.findings}
    assert subject in found
    assert pd.Series([found[subject]]).str.contains(message).all(), found[subject]
    assert not report.refused
    assert all(line.startswith("warn: ") and "\n" not in line for line in report.lines())


def test_bounds_hold_for_the_metrics_they_name(tmp_path: Path) -> None:
    settings = CheckSettings(bounds={"cpu*": (0.0, 60.0)})
    finding = check_telemetry(dataset(tmp_path), settings, HORIZON).findings[0]
    assert (finding.check, finding.subject) == ("ranges", "cpu")
    assert "values are outside of 0 to 60" in finding.message


def test_a_check_refuses_or_is_off_as_configured(tmp_path: Path) -> None:
    made = dataset(tmp_path, CASES["gaps"][0])
    report = check_telemetry(made, CheckSettings(gaps="refuse"), HORIZON)
    with pytest.raises(NetopsError, match=r"router2: no data for 35% .*set telemetry: checks: gaps: warn"):
        report.raise_if_refused()
    assert report.to_dict()["refused"] is True
    quiet = check_telemetry(made, CheckSettings(gaps="off"), HORIZON)
    assert quiet.findings == ()
    assert "gaps" not in quiet.passed


def test_metrics_are_compared_with_those_of_before(tmp_path: Path) -> None:
    before = dataset(tmp_path)
    later = telemetry().drop(columns="loss").assign(memory=1.0)
    later.to_parquet(tmp_path / "later.parquet", index=False)
    now = ingest(
        [tmp_path / "later.parquet"], tmp_path / "later", TelemetrySettings(), like=NetworkSchema.of(before.meta)
    )
    found = {
        f.subject: f.message
        for f in check_telemetry(now, CheckSettings(), HORIZON, like=NetworkSchema.of(before.meta)).findings
    }
    assert found["loss"].startswith("missing")
    assert found["memory"].startswith("new")


def test_no_incidents_are_no_finding(tmp_path: Path) -> None:
    made = dataset(tmp_path, lambda frame: frame.drop(columns="is_error"))
    assert check_telemetry(made, CheckSettings(), 60 * SECOND).findings == ()
