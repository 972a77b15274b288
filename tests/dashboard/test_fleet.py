"""What the dashboard keeps of a fleet."""

import numpy as np

from netops.dashboard.fleet import ALERTING, SILENT, STEP, FleetModel, RiskHistory
from netops.serving.requests.schemas import Fleet


def answer(devices: dict[str, float | None], time: int = 1000, **more) -> Fleet:
    values = {
        "network": "demo",
        "model": "v1",
        "metrics": ("cpu",),
        "threshold": 0.5,
        "horizon_seconds": 600.0,
        "event_time": time,
        "cursor": time,
        "known": len(devices),
        "devices": list(devices),
        "companies": ["c"] * len(devices),
        "data_centers": ["d"] * len(devices),
        "last": [time] * len(devices),
        "risk": list(devices.values()),
        "alerting": [],
        "silent": [],
        "on_trial": [],
    }
    return Fleet(**{**values, **more})


def test_changes_are_taken_in_and_the_order_stays_while_the_devices_do():
    fleet = FleetModel()
    assert fleet.apply(answer({"a": 0.1, "b": None}), full=True)
    version = fleet.version
    assert fleet.apply(answer({"b": 0.9}, 2000, known=2, alerting=["b"]), full=False)
    assert fleet.version == version
    assert fleet.risk.tolist() == np.float32([0.1, 0.9]).tolist()
    assert fleet.status.tolist() == [0, ALERTING]
    assert fleet.last.tolist() == [1000, 2000]
    assert fleet.apply(answer({"c": 0.2}, 3000, known=3), full=False)
    assert fleet.version > version
    assert fleet.status.tolist() == [0, 0, 0]


def test_a_silent_device_has_no_risk():
    fleet = FleetModel()
    fleet.apply(answer({"a": 0.1, "b": 0.2}, silent=["a"]), full=True)
    assert fleet.status.tolist() == [SILENT, 0]
    assert np.isnan(fleet.risk[0])


def test_removed_devices_are_detected_and_forgotten():
    fleet = FleetModel()
    fleet.apply(answer({"a": 0.1, "b": 0.2}), full=True)
    version = fleet.version
    assert not fleet.apply(answer({"c": 0.3}, 2000, known=2), full=False)
    assert fleet.apply(answer({"b": 0.2, "c": 0.3}, 2000), full=True)
    assert sorted(fleet.names) == ["b", "c"]
    assert fleet.slot("a") is None
    assert fleet.version > version


def test_a_device_that_moves_is_drawn_elsewhere():
    fleet = FleetModel()
    fleet.apply(answer({"a": 0.1}), full=True)
    version = fleet.version
    fleet.apply(answer({"a": 0.1}, data_centers=["other"]), full=False)
    assert fleet.version > version
    assert fleet.locations[0] == ("c", "other")


def test_the_risk_history_is_bounded():
    history = RiskHistory(3)
    history.grow(2)
    for number in (1, 2, 2, 3, 4):
        history.add(number * STEP, np.float32([number / 8, np.nan]))
    assert history.of(0) == ([2 * STEP, 3 * STEP, 4 * STEP], [0.25, 0.375, 0.5])
    assert history.of(1) == ([2 * STEP, 3 * STEP, 4 * STEP], [None] * 3)
    history.grow(9)
    history.add(5 * STEP, np.full(9, 0.5, dtype=np.float32))
    assert history.of(0) == ([3 * STEP, 4 * STEP, 5 * STEP], [0.375, 0.5, 0.5])
    assert history.of(8) == ([3 * STEP, 4 * STEP, 5 * STEP], [None, None, 0.5])


def test_the_risk_history_covers_an_hour_at_any_polling_rate():
    history = RiskHistory()
    history.grow(1)
    for time in range(0, 2 * 3_600_000, 500):
        history.add(time, np.float32([time / 1e7]))
    times, risks = history.of(0)
    assert times[-1] - times[0] >= 3_590_000
    assert np.diff(times[:-1]).tolist() == [STEP] * (len(times) - 2)
    assert (times[-1], risks[-1]) == (7_199_500, float(np.float32(0.71995)))


def test_risks_are_cleared_if_the_time_goes_back():
    history = RiskHistory()
    history.grow(1)
    for time in (STEP, 2 * STEP, 0):
        history.add(time, np.float32([0.5]))
    assert history.of(0) == ([0], [0.5])
