"""What each scenario does, seen alone."""

from typing import Any

import numpy as np
import pytest

from netops.config.durations import DAY, HOUR, MINUTE, SECOND
from netops.simulator.generate import Arrays, generate_arrays
from netops.simulator.settings import GeneratorSettings
from tests.simulator.examples import START

METRIC = {
    "distribution_params": {"mu": 50, "sigma": 1},
    "validation": {"metric": {"min": 0, "max": 100, "validate": True}},
}
FAILURES = ("cascade", "degradation", "memory_leak", "flapping", "congestion", "site_outage")


def arrays(scenarios: dict[str, Any], hours: int = 48, devices: int = 8, **sections: Any) -> Arrays:
    configuration = {
        "metrics": {"up": METRIC, "down": {**METRIC, "is_threshold_below": False}, "aside": METRIC},
        "errors": {"every": "4h"},
        "deployment": {"site": {"num_items": 2}, "device": {"num_items": 4}},
        "scenarios": scenarios,
        **sections,
    }
    settings = GeneratorSettings.from_yaml(configuration)
    return generate_arrays(settings, devices=devices, duration=hours * HOUR, start=START, seed=11)


def windows(result: Arrays) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Cut out each whole incident: the values of its precursor, of itself, and its device."""
    cut = []
    for row in result.incidents.to_pylist():
        device = result.names.index(row["device"])
        edges = [row[key].value for key in ("precursor_start", "start", "end")]
        a, b, c = np.searchsorted(result.timestamps, edges)
        if edges[0] >= START and c < len(result.timestamps):
            cut.append((result.values[device, a:b], result.values[device, b:c], device))
    return cut


def failure(**keys: Any) -> dict[str, Any]:
    return {"duration": "20m", "failure": 0.4, "metrics": ["up", "down"], "depth": 0.5, "variation": 0, **keys}


@pytest.mark.parametrize("kind", FAILURES)
def test_failures_end_in_a_critical_failure_of_all_their_metrics(kind: str) -> None:
    result = arrays({kind: failure()})
    found = windows(result)
    assert len(found) > 10
    for _, inside, _ in found:
        assert (inside[:, 0] == 100).all()
        assert (inside[:, 1] == 0).all()
    aside = result.values[:, :, 2]
    assert aside.std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("kind", FAILURES)
def test_ground_truth_agrees_with_itself(kind: str) -> None:
    result = arrays({kind: failure()})
    both = result.metric_errors[:, :, 0] & result.metric_errors[:, :, 1]
    np.testing.assert_array_equal(result.errors, both)
    marked = np.zeros_like(result.errors)
    for row in result.incidents.to_pylist():
        assert row["precursor_start"] < row["start"] < row["end"]
        assert (row["scenario"], row["cause_metric"]) == (kind, "up")
        a, b = np.searchsorted(result.timestamps, [row["start"].value, row["end"].value])
        assert not marked[result.names.index(row["device"]), max(0, a - 1) : b + 1].any()
        marked[result.names.index(row["device"]), a:b] = True
    np.testing.assert_array_equal(marked, result.errors)


def test_metrics_of_a_cascade_enter_one_after_the_other() -> None:
    order = ["aside", "down", "up"]
    result = arrays({"cascade": failure(stagger=0.15, metrics=order, depth=0, peaks=0, jitter=0)})
    for row in result.incidents.to_pylist()[:20]:
        assert row["cause_metric"] == "aside"
        device = result.names.index(row["device"])
        until = np.searchsorted(result.timestamps, row["start"].value)
        errors = result.metric_errors[device, max(0, until - 150) : until + 1]
        entries = [int(errors[:, index].argmax()) for index in (2, 1, 0)]
        assert entries == sorted(entries)
        assert len(set(entries)) == 3


def test_cascade_jumps_to_the_limit_before_it() -> None:
    result = arrays({"cascade": failure(depth=0, jitter=0, stagger=0)})
    jumps = [int((before[:, 0] == 100).sum()) for before, *_ in windows(result)]
    assert 1.5 < np.mean(jumps) < 6


def test_degradation_grows_towards_the_limits() -> None:
    for before, *_ in windows(arrays({"degradation": failure(depth=0.8, growth=2, jitter=0)})):
        thirds = np.array_split(before[:-1], 3)
        rise = [third[:, 0].mean() for third in thirds]
        fall = [third[:, 1].mean() for third in thirds]
        assert rise == sorted(rise)
        assert fall == sorted(fall, reverse=True)
        assert before[-2, 0] == pytest.approx(90, abs=6)
        assert before[:5, 0].mean() == pytest.approx(50, abs=3)


def test_first_metric_of_a_memory_leak_climbs_alone() -> None:
    for before, *_ in windows(arrays({"memory_leak": failure(depth=0.8, tail=0.2, jitter=0)})):
        early = before[: int(len(before) * 0.7)]
        assert early[-5:, 0].mean() > 62
        assert early[:, 1].mean() == pytest.approx(50, abs=1)
        assert before[-3:, 1].mean() < 35


def test_flapping_fails_and_recovers() -> None:
    keys = {"depth": 1.0, "jitter": 0, "period": "1m", "growth": 1, "failure": 0.4}
    for before, *_ in windows(arrays({"flapping": failure(**keys)})):
        down = before[:, 1] < 25
        assert 8 <= np.count_nonzero(np.diff(down.astype(int)) == 1) <= 13
        half = len(down) // 2
        assert down[half:].mean() > down[:half].mean() + 0.1


def test_congestion_comes_with_the_traffic() -> None:
    result = arrays({"congestion": failure()}, hours=240, traffic={"daily": 0.5, "stagger": False})
    hours = np.array([row["start"].hour for row in result.incidents.to_pylist()])
    assert len(hours) > 100
    assert (hours < 13).mean() > 0.95  # the daily rhythm is high in the first half of the day


def test_site_outage_takes_all_devices_of_a_site_from_the_uplinks_on() -> None:
    topology = {"uplinks": 1, "fan_out": 1, "hop_delay": "60s"}
    result = arrays({"site_outage": failure(jitter=0, spread=0)}, topology=topology, errors={"every": "12h"})
    first = [row for row in result.incidents.to_pylist() if row["precursor_start"].value > START]
    by_site: dict[int, list[tuple[int, int]]] = {0: [], 1: []}
    for row in first:
        device = result.names.index(row["device"])
        by_site[device % 2].append((row["start"].value, device // 2))
    for starts in by_site.values():
        assert starts
        starts.sort()
        groups = np.split(starts, np.flatnonzero(np.diff([s for s, _ in starts]) > 10 * MINUTE) + 1)
        for group in groups:
            assert [index for _, index in group] == [0, 1, 2, 3]
            steps = np.diff([start for start, _ in group]) / SECOND
            assert (steps > 0).all()
            assert (steps < 150).all()


def test_weights_share_out_the_failures() -> None:
    slow = {"hours": 400, "timestamps": {"interval": "1m"}}
    result = arrays({"a": failure(kind="degradation", weight=3), "b": failure(kind="flapping", weight=1)}, **slow)
    names = [row["scenario"] for row in result.incidents.to_pylist()]
    assert names.count("a") / len(names) == pytest.approx(0.75, abs=0.08)


def test_devices_fail_as_often_as_they_should() -> None:
    result = arrays({"degradation": failure()}, hours=480, devices=16, timestamps={"interval": "1m"})
    device_days = 16 * 20
    expected = device_days * 24 / (4 + 1 / 3)
    assert len(result.incidents) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("scenario", "keys"),
    [
        ("sensor_fault", {}),
        ("maintenance", {"effects": {"up": 0.5, "down": -0.5}, "variation": 0, "ramp": 0}),
        ("traffic_peak", {"height": 1}),
    ],
)
def test_lookalikes_are_no_failures(scenario: str, keys: dict[str, Any]) -> None:
    calm = {"every": "2h"}
    quiet = arrays({scenario: {**keys, "weight": 0}}, lookalikes=calm)
    result = arrays({scenario: keys}, lookalikes=calm)
    assert not result.errors.any()
    assert not result.metric_errors.any()
    assert len(result.incidents) == 0
    same = np.array_equal(result.values, quiet.values, equal_nan=True)
    assert same == (scenario == "traffic_peak")  # these metrics do not follow traffic


def test_sensor_faults_freeze_or_lose_values() -> None:
    lost = arrays({"sensor_fault": {"frozen": 0}}, lookalikes={"every": "2h"}).values
    assert 0.02 < np.isnan(lost).mean() < 0.2
    frozen = arrays({"sensor_fault": {"frozen": 1}}, lookalikes={"every": "2h"}).values
    assert not np.isnan(frozen).any()
    assert 0.02 < (np.diff(frozen[:, :, 0], axis=1) == 0).mean() < 0.2


def test_maintenance_moves_metrics_at_once() -> None:
    keys = {"effects": {"up": 0.5, "down": -0.5}, "variation": 0, "ramp": 0}
    values = arrays({"maintenance": keys}, lookalikes={"every": "2h"}).values
    moved = values[:, :, 0] > 65
    assert 0.05 < moved.mean() < 0.3
    assert values[moved][:, 0].mean() == pytest.approx(75, abs=1)
    assert values[moved][:, 1].mean() == pytest.approx(25, abs=1)


def test_metrics_follow_a_traffic_peak() -> None:
    metrics = {"up": {**METRIC, "traffic": 20}, "down": {**METRIC, "traffic": -20}}
    peaks = {"traffic_peak": {"height": 1, "variation": 0}}
    values = arrays(peaks, lookalikes={"every": "2h"}, metrics=metrics).values
    assert values[:, :, 0].max() == pytest.approx(70, abs=5)
    assert np.corrcoef(values[0, :, 0], values[0, :, 1])[0, 1] < -0.8


def test_daily_peaks_are_staggered_by_site() -> None:
    metrics = {"up": {**METRIC, "traffic": 20}}
    for stagger in (False, True):
        values = arrays({}, traffic={"daily": 0.5, "stagger": stagger}, metrics=metrics).values[:, :17280, 0]
        peaks = [np.convolve(values[device], np.ones(720), "valid").argmax() / 17280 for device in range(2)]
        apart = abs(peaks[0] - peaks[1])
        assert (min(apart, 1 - apart) > 0.2) == stagger


def test_traffic_grows() -> None:
    metrics = {"up": {**METRIC, "traffic": 20}}
    values = arrays({"traffic_growth": {"per_day": 0.5, "after": "1d"}}, metrics=metrics).values[:, :, 0]
    assert values[:, :17000].mean() == pytest.approx(50, abs=0.1)
    assert values[:, -100:].mean() == pytest.approx(60, abs=0.3)


def test_firmware_changes_level_and_variance() -> None:
    change = {"after": "1d", "rollout": "1s", "share": 0.5, "shift": {"up": 10}, "scale": {"down": 3}}
    values = arrays({"firmware_change": change}, devices=40).values
    shifted = values[:, 17400:, 0].mean(axis=1) > 55
    assert 10 <= shifted.sum() <= 30
    assert values[:, :17000, 0].mean() == pytest.approx(50, abs=0.1)
    np.testing.assert_array_equal(values[:, 17400:, 1].std(axis=1) > 2, shifted)


def test_new_devices_appear() -> None:
    new = {"after": "1d", "share": 0.3, "shift": {"up": 20}}
    result = arrays({"new_device_class": new}, devices=40)
    fresh = ~result.present[:, 0]
    assert 5 <= fresh.sum() <= 20
    assert (result.present.argmax(axis=1)[fresh] == DAY // (5 * SECOND)).all()
    np.testing.assert_allclose(result.values[fresh, -100:, 0].mean(axis=1), 70, atol=1)


@pytest.mark.parametrize("length", [1, 2, 10, 20])
def test_short_scenarios_reach_critical_failure(length: int) -> None:
    result = arrays({"cascade": {}}, errors={"rate_in_ticks": 100, "length_in_ticks": length}, hours=6)
    assert len(result.incidents) > 50
