"""What the default network promises: rare incidents, precursors worth watching for, many look-alikes."""

import numpy as np
import pytest

from netops.config.durations import HOUR, MINUTE
from netops.simulator.generate import Arrays, generate_arrays
from netops.simulator.settings import GeneratorSettings
from tests.simulator.examples import DEFAULT, START

DEVICES, DAYS = 120, 5


@pytest.fixture(scope="module")
def default() -> Arrays:
    settings = GeneratorSettings.from_yaml(DEFAULT)
    duration = DAYS * 24 * HOUR
    return generate_arrays(settings, devices=DEVICES, duration=duration, start=START, seed=2, workers=2)


def test_a_device_fails_about_once_a_day_or_less(default: Arrays) -> None:
    assert 0.8 < default.incidents.num_rows / (DEVICES * DAYS) < 1.05


def test_precursors_take_minutes_and_incidents_are_short(default: Arrays) -> None:
    incidents = default.incidents.to_pydict()
    start, end, before = (np.array([t.value for t in incidents[n]]) for n in ("start", "end", "precursor_start"))
    precursor, inside = (start - before) / MINUTE, (end - start) / MINUTE
    assert ((precursor > 8) & (precursor < 20)).mean() > 0.8
    assert np.percentile(precursor, 2) > 6
    assert 2 < np.median(inside) < 10


def test_every_failure_happens(default: Arrays) -> None:
    names = default.incidents.column("scenario").to_pylist()
    common = ("cascade", "degradation", "memory_leak", "flapping", "congestion")
    assert all(names.count(name) > 20 for name in common)


def test_healthy_devices_reach_levels_of_precursors(default: Arrays) -> None:
    """On any one metric, look-alikes go as far as the beginning of failures does."""
    healthy = default.values[~default.errors]
    assert np.nanpercentile(healthy[:, 0], 99) > 70  # cpu_utilization
    assert np.nanpercentile(healthy[:, 1], 99) > 50  # latency
    assert np.nanpercentile(healthy[:, 2], 99) > 12  # packet_loss
    assert np.nanpercentile(healthy[:, 3], 1) < 60  # throughput


@pytest.mark.filterwarnings("ignore:Mean of empty slice")  # where a sensor is stuck
def test_metrics_follow_traffic_together(default: Arrays) -> None:
    quiet = np.nanmean(default.values[:, :17280].reshape(DEVICES, 288, 60, 4), axis=2)
    links = np.array([np.corrcoef(quiet[device].T) for device in range(DEVICES)])
    assert np.nanmedian(links[:, 0, 3]) > 0.4


def test_every_hour_has_data_centers_at_their_peak(default: Arrays) -> None:
    throughput = np.nanmean(default.values[:, :17280, 3].reshape(DEVICES, 24, 720), axis=2)
    peaks = throughput.reshape(-1, 8, 24).mean(axis=0).argmax(axis=1)
    assert len(set(peaks.tolist())) >= 5
