"""Incident logs as companies have them, beside telemetry of four routers."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Call

DAY = "2026-01-05"
#: Device, start and end of the incidents of the telemetry.
INCIDENTS = [
    ("r01", "02:16", "02:24"),
    ("r01", "06:20", "06:28"),
    ("r02", "01:34", "01:42"),
    ("r02", "05:28", "05:36"),
    ("r03", "02:25", "02:33"),
    ("r03", "07:00", "07:08"),
    ("r04", "03:16", "03:24"),
    ("r04", "07:09", "07:17"),
]


@pytest.fixture(scope="module")
def telemetry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw = np.random.default_rng(0)
    times = pd.date_range(DAY, periods=480, freq="60s", tz="UTC")
    frames = [
        pd.DataFrame({"timestamp": times, "device": f"r{n:02}", "cpu": draw.normal(40, 4, 480)})
        for n in range(1, 5)
    ]
    path = tmp_path_factory.mktemp("routers") / "t.csv"
    pd.concat(frames).to_csv(path, index=False)
    return path


def log(path: Path, header: str, *rows: tuple[str, ...]) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header.split(","), *rows])
    path.write_text(text.getvalue())
    return path


def test_the_export_of_a_ticket_system_is_read_as_it_is(netops: Call, telemetry: Path, tmp_path: Path) -> None:
    rows = [(f"INC{i:04}", f"{DAY} {s}:00", f"{DAY} {e}:00", d) for i, (d, s, e) in enumerate(INCIDENTS)]
    incidents = log(tmp_path / "inc.csv", "Number,Opened,Resolved,Configuration item", *rows)
    done = netops("features", "--telemetry", telemetry, "--incidents", incidents, "--out", tmp_path / "o")
    assert done.code == 0
    assert f"incidents: {incidents}: 8 of 8 used" in done.err


def test_incidents_of_other_devices_are_set_aside_in_one_line(
    netops: Call, telemetry: Path, tmp_path: Path
) -> None:
    rows = [(d, f"{DAY}T{s}:00Z", f"{DAY}T{e}:00Z") for d, s, e in [*INCIDENTS, ("printer-3", "02:00", "03:00")]]
    incidents = log(tmp_path / "inc.csv", "device,start,end", *rows)
    done = netops("features", "--telemetry", telemetry, "--incidents", incidents, "--out", tmp_path / "o")
    assert done.code == 0
    assert "1 of 9 is of devices without telemetry: printer-3 (first: line 10)" in done.err


def test_incidents_outside_of_the_telemetry_are_reported(netops: Call, telemetry: Path, tmp_path: Path) -> None:
    rows = [
        (d, f"{y}-01-05T{s}:00Z", f"{y}-01-05T{e}:00Z")
        for y, (d, s, e) in zip([2024, 2026] * 4, INCIDENTS, strict=True)
    ]
    incidents = log(tmp_path / "inc.csv", "device,start,end", *rows)
    done = netops("features", "--telemetry", telemetry, "--incidents", incidents, "--out", tmp_path / "o")
    assert done.code == 0
    assert "warn: incidents: 4 of 8 are outside of the telemetry of their device (first: line 2)" in done.err


def test_lines_are_counted_as_an_editor_does(netops: Call, telemetry: Path, tmp_path: Path) -> None:
    text = "first line\nsecond, line"
    rows = [(d, f"{DAY}T{s}:00Z", f"{DAY}T{e}:00Z", text) for d, s, e in [*INCIDENTS, ("nosuch", "02:00", "03:00")]]
    incidents = log(tmp_path / "inc.csv", "device,start,end,description", *rows)
    done = netops("features", "--telemetry", telemetry, "--incidents", incidents, "--out", tmp_path / "o")
    assert done.code == 0
    assert "nosuch (first: line 18)" in done.err
