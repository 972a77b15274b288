"""Whose incidents those of a log are."""

import numpy as np
import pytest

from netops.errors import NetopsError
from netops.telemetry.incident_logs.log import OPEN, IncidentLog
from netops.telemetry.incident_logs.matching import LogSummary, Names, match

SPANS = {"r01": (0, 1_000), "r02": (0, 1_000)}


def log(*incidents: tuple[str, int, int]) -> IncidentLog:
    devices, starts, ends = (list(column) for column in zip(*incidents, strict=True))
    at = [f"inc.csv: line {row + 2}" for row in range(len(devices))]
    return IncidentLog("inc.csv", devices, [""] * len(devices), np.array(starts), np.array(ends), at=at)


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("r01", "r01"),
        ("R01", "r01"),
        (" r01 ", "r01"),
        ("r01.corp.example", "r01"),
        ("folder/r01.csv", "r01"),
        ("sw2", "SW2.site.example"),
        ("sw2.other:9100", "SW2.site.example"),
        ("10.0.0.1:161", "10.0.0.1"),
        ("10.0.0.2:161", None),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.2", None),
        ("10", None),
        ("twin", None),
        ("r", None),
    ],
)
def test_a_device_is_found_by_what_a_ticket_calls_it(name: str, device: str | None) -> None:
    known = Names(["r01", "SW2.site.example", "10.0.0.1", "10.0.0.3", "twin.a", "twin.b"])
    assert known.find(name) == device


def test_incidents_are_counted() -> None:
    selected, summary = match(
        log(("R01", 10, 20), ("r02", 2_000, 2_010), ("printer-3", 10, 20), ("r01", 500, 900), ("r02", 900, OPEN)),
        SPANS,
    )
    assert selected.devices == ["r01", "r02", "r01", "r02"]
    assert (summary.read, summary.used, summary.outside, summary.others) == (5, 3, 1, 1)
    assert (summary.open, summary.long) == (1, 1)
    assert summary.lines() == [
        "incidents: inc.csv: 3 of 5 used",
        "warn: incidents: 1 of 5 are outside of the telemetry of their device (first: line 3)",
        "warn: incidents: 1 of 5 is of devices without telemetry: printer-3 (first: line 4)",
        "incidents: devices matched without case, spaces, domain and port: R01 → r01",
        "warn: incidents: 1 without an end: each lasts to the end of the telemetry",
        "warn: incidents: 1 longer than a fifth of the telemetry of their device",
    ]
    assert LogSummary.from_dict(summary.to_dict()) == summary


def test_a_log_of_mostly_other_devices_is_refused() -> None:
    with pytest.raises(
        NetopsError, match=r"2 of 3 incidents are of devices without telemetry: x, y \(first: line 2\)"
    ):
        match(log(("x", 1, 2), ("y", 1, 2), ("r01", 1, 2)), SPANS)


def test_a_log_outside_of_the_telemetry_is_refused() -> None:
    with pytest.raises(NetopsError, match="no incident overlaps the telemetry: they range from 1970"):
        match(log(("r01", 5_000, 6_000)), SPANS)


def test_a_log_without_devices_is_of_the_only_device() -> None:
    unnamed = IncidentLog("inc.csv", ["", ""], ["", ""], np.array([1, 5]), np.array([2, 6]), at=["", ""])
    selected, _ = match(unnamed, {"r01": (0, 10)})
    assert selected.devices == ["r01", "r01"]
    with pytest.raises(NetopsError, match="no device column, and the telemetry has 2 devices"):
        match(unnamed, SPANS)
