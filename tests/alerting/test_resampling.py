"""Resampling of stretches."""

import numpy as np
import pytest

from netops.alerting.resampling import Periods, interval, period_at
from tests.evaluation.worlds import make_split, world


def test_periods_end_with_their_incident():
    evaluated = make_split(devices=4)
    for incident, device in enumerate(evaluated.incidents.device):
        rows = evaluated.sequences.device_of_row == device
        period = evaluated.periods.of_row[rows]
        times = evaluated.sequences.timestamps[rows]
        before = times[period <= evaluated.period_of_incident[incident]]
        assert (
            before.max()
            < evaluated.incidents.end[incident]
            <= times[period > evaluated.period_of_incident[incident]].min()
        )


def test_weights_sample_devices_with_their_periods():
    sequences, labels, incidents = world(devices=6)
    selected = sequences.where(sequences.device_of_row != 2)
    periods = Periods.of(selected, incidents)
    weights = periods.weights(seed=5, times=400)
    assert (weights == periods.weights(seed=5, times=400)).all()
    missing = slice(periods.first[2], periods.first[3])
    assert weights[:, missing].sum() == 0
    by_device = np.add.reduceat(weights, periods.first[:-1], axis=1)
    sizes = np.diff(periods.first)
    assert (by_device % sizes == 0).all()  # a drawn device has all of its stretches
    assert ((by_device / sizes).sum(axis=1) == 5).all()
    assert abs(weights[:, periods.present].mean() - 1) < 0.05
    assert len(labels) > 0


def test_an_interval_of_nothing_is_unknown():
    assert np.isnan(interval(np.array([np.nan, np.nan])).low)
    found = interval(np.append(np.arange(101.0), np.nan))
    assert (found.low, found.high) == pytest.approx((2.5, 97.5))
    assert np.isnan(interval(np.array([3.0, np.nan])).high)
    assert interval(np.array([3.0, 4.0]), level=0.5).low == pytest.approx(3.25)


def test_all_periods_of_a_device_are_sampled_equally_often():
    sequences, _, incidents = world(devices=4)
    periods = Periods.of(sequences, incidents)
    weights = periods.weights(seed=7, times=2000)[:, periods.present]
    assert weights.mean(axis=0) == pytest.approx(1.0, abs=0.2)
    one = slice(0, periods.first[1])
    assert one.stop > 1
    assert (weights[:, one].min(axis=1) != weights[:, one].max(axis=1)).mean() > 0.3  # not all of them every time
    assert len(periods.weights(seed=7)) == 200


def test_a_first_device_without_samples_is_never_drawn():
    sequences, _, incidents = world(devices=3)
    periods = Periods.of(sequences.where(sequences.device_of_row != 0), incidents)
    weights = periods.weights(seed=5, times=50)
    assert weights[:, : periods.first[1]].sum() == 0
    by_device = np.add.reduceat(weights, periods.first[:-1], axis=1) / np.diff(periods.first)
    assert set(by_device[:, 1]) == {0.0, 1.0, 2.0}


def test_the_period_at_a_time_is_that_of_its_sample():
    evaluated = make_split(devices=3)
    sequences, incidents = evaluated.sequences, evaluated.incidents
    for row in range(0, len(sequences), 37):
        device = sequences.device_of_row[row]
        found = period_at(device, sequences.timestamps[row], incidents.offsets, incidents.end)
        assert found == evaluated.periods.of_row[row]
