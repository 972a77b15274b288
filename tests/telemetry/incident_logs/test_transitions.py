"""Logs that have a row for each change of state."""

from pathlib import Path

import numpy as np
import pytest

from netops.telemetry.incident_logs.log import OPEN
from netops.telemetry.incident_logs.read import read_incidents
from netops.telemetry.incident_logs.transitions import pair
from netops.telemetry.settings import TelemetrySettings

HOUR = 3_600 * 10**9


def log(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["time,host,event,text", *rows]) + "\n")
    return path


def test_down_and_up_are_one_incident(tmp_path: Path) -> None:
    path = log(
        tmp_path / "events.csv",
        "2026-01-05T03:00:00Z,r2,DOWN,a",
        "2026-01-05T01:00:00Z,r1,DOWN,b",
        "2026-01-05T01:30:00Z,r1,DOWN,again",
        "2026-01-05T02:00:00Z,r1,UP,c",
        "2026-01-05T04:00:00Z,r2,UP,d",
        "2026-01-05T05:00:00Z,r2,DOWN,e",
    )
    found = read_incidents(path, TelemetrySettings())
    assert found.devices == ["r2", "r1", "r2"]
    assert [
        None if end is None else end - start for start, end in zip(found.starts, found.closed_ends(), strict=True)
    ] == [
        HOUR,
        HOUR,
        None,
    ]
    assert found.at[1] == f"{path}: line 3"
    assert found.notes == ("'event' contains state changes (down, up): 3 incidents of 6 rows",)


@pytest.mark.parametrize(
    "states",
    [
        ["Closed"] * 9 + ["Open"],  # tickets with a state, a row each
        ["DOWN"] * 10,
        ["DOWN", "UP"] * 4 + ["reloaded", "reloaded"],
    ],
)
def test_other_states_leave_a_row_an_incident(tmp_path: Path, states: list[str]) -> None:
    rows = [f"2026-01-05T{hour:02d}:00:00Z,r{hour},{state},x" for hour, state in enumerate(states)]
    found = read_incidents(log(tmp_path / "tickets.csv", *rows), TelemetrySettings())
    assert len(found) == 10
    assert "is set to 1h" in found.notes[0]


def test_pairs_are_found_by_time_and_device() -> None:
    times = np.array([40, 10, 20, 30, 50])
    found = pair(["a", "a", "b", "a", "b"], times, ["Problem", "Problem", "Problem", "OK", "OK"], OPEN)
    assert found is not None
    assert (found[0], found[1].tolist()) == ([0, 1, 2], [OPEN, 30, 50])
