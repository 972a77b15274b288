"""Telemetry of one's own: what is taken, and what is refused in a line with nothing half-written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .conftest import Call

DATA = Path(__file__).parents[1] / "data"
QUICK = [
    part
    for family in ("tensorflow", "sklearn", "extra_trees")
    for part in ("--set", f"training.families.{family}.enabled=false")
] + ["--set", "training.cross_fit=never"]


def telemetry(failing: bool = True, rows: int = 1500, devices: int = 4) -> pd.DataFrame:
    """Make telemetry in which a ramp of the latency comes before each incident."""
    frames = []
    for device in range(devices):
        random = np.random.default_rng(device)
        error, latency = np.zeros(rows, bool), random.normal(20, 1, rows)
        for start in range(150 + 20 * device, rows - 20, 300):
            error[start : start + 12] = failing
            latency[start - 10 : start + 12] += np.linspace(1, 20, 22)
        times = pd.date_range("2026-01-01", periods=rows, freq="1min", tz="UTC")
        cpu = random.normal(50, 5, rows)
        frames.append(
            pd.DataFrame({"time": times, "node": f"r{device}", "latency": latency, "cpu": cpu, "is_error": error})
        )
    return pd.concat(frames, ignore_index=True)


def test_an_own_csv_runs_through_the_pipeline(netops: Call, tmp_path: Path) -> None:
    path = tmp_path / "edge routers.csv"
    telemetry().to_csv(path, index=False)
    anyhow = ("--set", "promotion.first=any")  # thresholds do as well here: the ramp is all there is
    done = netops("run", "--telemetry", path, "--horizon", "10m", *QUICK, *anyhow, "--json")
    assert done.code == 0, done.err
    summary = done.json
    assert summary["name"] == "edge-routers"
    assert summary["telemetry"]["windows"] == [12 * 60, 1499 * 60 // 5]
    assert set(summary["telemetry"]["metrics"]) == {"cpu", "latency"}
    assert set(summary["stages"]) == {"ingest", "features", "train", "select", "deploy"}
    xgboost = summary["models"]["xgboost"]
    assert xgboost["average_precision"] > 5 * xgboost["base_rate"]


@pytest.mark.slow
def test_test_telemetry_is_separate(netops: Call, tmp_path: Path) -> None:
    train, test = tmp_path / "january.csv", tmp_path / "february.csv"
    telemetry().to_csv(train, index=False)
    later = telemetry(devices=2)
    later["time"] += pd.Timedelta(days=31)
    later.to_csv(test, index=False)
    done = netops("run", "--telemetry", train, "--test", test, "--horizon", "10m", *QUICK, "--json")
    assert done.code == 0, done.err
    assert done.json["telemetry"]["samples"] == 6000


def test_incidents_come_from_a_log(netops: Call, tmp_path: Path) -> None:
    frame = telemetry()
    starts = frame.groupby("node").is_error.transform(lambda e: e & ~e.shift(fill_value=False))
    log = pd.DataFrame({"Node": frame.node[starts], "Start": frame.time[starts]})
    log["End"] = log.Start + pd.Timedelta(minutes=12)
    frame.drop(columns="is_error").to_csv(tmp_path / "t.csv", index=False)
    log.to_csv(tmp_path / "log.csv", index=False)
    arguments = ["--telemetry", tmp_path / "t.csv", "--incidents", tmp_path / "log.csv", "--horizon", "10m"]
    done = netops("run", *arguments, *QUICK, "--json")
    assert done.code == 0, done.err
    assert done.json["telemetry"]["incidents"] == len(log)


def _no_time(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="time")


def _text(frame: pd.DataFrame) -> pd.DataFrame:
    frame["cpu"] = frame.cpu.astype(object)
    frame.loc[10, "cpu"] = "high"
    return frame


def _bad_time(frame: pd.DataFrame) -> pd.DataFrame:
    frame["time"] = frame.time.astype(str)
    frame.loc[4, "time"] = "noon"
    return frame


def _no_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["time", "node"]]


def _healthy(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(is_error=False)


def _failed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(is_error=True)


def _early_incidents(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(is_error=frame.is_error & (frame.time < "2026-01-01 06:00Z"))


def _few_incidents(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(is_error=frame.is_error & (frame.node == "r1") & (frame.time < "2026-01-01 06:00Z"))


@pytest.mark.parametrize(
    ("spoil", "options", "says"),
    [
        (_no_time, [], "time"),
        (_text, [], "row 11"),
        (_bad_time, [], "row 5"),
        (_no_numbers, [], "numeric"),
        (_failed, [], "one class only"),
        (None, ["--horizon", "3d"], "longer than the history"),
        (None, ["--set", "telemetry.exclude=[latency, cpu]"], "no metric is left"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(
    netops: Call,
    home: Path,
    tmp_path: Path,
    spoil: Callable[[pd.DataFrame], pd.DataFrame] | None,
    options: list[str],
    says: str,
) -> None:
    path = tmp_path / "bad.csv"
    frame = telemetry()
    (spoil(frame) if spoil else frame).to_csv(path, index=False)
    done = netops("run", "--name", "bad", "--telemetry", path, *(options or ["--horizon", "10m"]), *QUICK, "--json")
    assert done.code in (1, 2)
    assert not done.out
    lines = [line for line in done.err.splitlines() if line.startswith("netops:")]
    assert len(lines) == 1
    assert says in lines[0]
    assert "Traceback" not in done.err
    assert not (home / "models" / "bad").exists()
    assert not list(home.rglob(".*.tmp"))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(_healthy, "no incident is recorded"), (_few_incidents, "no split by time")],
    ids=["none", "few"],
)
def test_too_few_incidents_end_in_a_model_without_labels(
    netops: Call, tmp_path: Path, spoil: Callable[[pd.DataFrame], pd.DataFrame], why: str
) -> None:
    path = tmp_path / "few.csv"
    spoil(telemetry()).to_csv(path, index=False)
    done = netops("run", "--name", why.split()[-1], "--telemetry", path, "--horizon", "10m", *QUICK, "--json")
    assert done.code == 0, done.err
    assert set(done.json["models"]) == {"deviations"}
    assert why in done.json["reason"]


def test_incidents_that_suffice_for_another_split_are_not_ignored(netops: Call, tmp_path: Path) -> None:
    path = tmp_path / "early.csv"
    _early_incidents(telemetry()).to_csv(path, index=False)
    done = netops("run", "--telemetry", path, "--horizon", "10m", *QUICK)
    assert done.code == 1
    assert "no split by time" in done.err
    assert "--split device works" in done.err


@pytest.mark.parametrize("spoil", [_no_time, _text, _no_numbers])
def test_no_output_of_a_refused_call_is_left(netops: Call, tmp_path: Path, spoil: Callable) -> None:
    spoil(telemetry()).to_csv(tmp_path / "bad.csv", index=False)
    done = netops("features", "--telemetry", tmp_path / "bad.csv", "--out", tmp_path / "out")
    assert done.code == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.csv"]


def test_incidents_of_unknown_devices_are_refused(netops: Call, tmp_path: Path) -> None:
    telemetry().to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "log.csv").write_text("device,start,end\nr9,2026-01-01T01:00:00Z,2026-01-01T02:00:00Z\n")
    done = netops("run", "--telemetry", tmp_path / "t.csv", "--incidents", tmp_path / "log.csv", *QUICK)
    assert done.code == 1
    assert "r9" in done.err
    assert "log.csv" in done.err


def test_server_telemetry(netops: Call) -> None:
    done = netops(
        "run", "--telemetry", DATA / "smd-servers" / "telemetry.parquet", "--horizon", "10m", *QUICK, "--json"
    )
    assert done.code == 0, done.err
    assert done.json["telemetry"]["samples"] == 71_088
    assert done.json["models"]["xgboost"]["base_rate"] < 0.05


def test_router_telemetry_by_device_but_not_by_time(netops: Call) -> None:
    folder = DATA / "cisco-routers"
    arguments = ["run", "--telemetry", folder / "telemetry" / "bgpclear_second", "--horizon", "60s", *QUICK]
    arguments += ["--incidents", folder / "bgpclear_second.incidents.csv"]
    refused = netops(*arguments)
    assert refused.code == 1
    assert "no split by time" in refused.err
    assert "--split device works" in refused.err
    done = netops(*arguments, "--split", "device", "--json")
    assert done.code == 0, done.err
    # The faults were injected: healthy samples have little information on them, and nothing else may.
    assert done.json["models"]["xgboost"]["average_precision"] < 0.3
