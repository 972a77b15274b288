"""Resampling of stretches."""

import numpy as np
import pytest

from netops.models.bootstrap import Stretches, interval
from tests.models.worlds import part, world


def test_stretches_end_with_their_incident():
    judged = part(devices=4)
    for incident, device in enumerate(judged.incidents.device):
        rows = judged.sequences.device_of_row == device
        stretch = judged.stretches.of_row[rows]
        times = judged.sequences.timestamps[rows]
        before = times[stretch <= judged.stretch_of_incident[incident]]
        assert (
            before.max()
            < judged.incidents.end[incident]
            <= times[stretch > judged.stretch_of_incident[incident]].min()
        )


def test_weights_draw_devices_with_their_stretches():
    sequences, labels, incidents = world(devices=6)
    kept = sequences.where(sequences.device_of_row != 2)
    stretches = Stretches.of(kept, incidents)
    weights = stretches.weights(seed=5, times=400)
    assert (weights == stretches.weights(seed=5, times=400)).all()
    missing = slice(stretches.first[2], stretches.first[3])
    assert weights[:, missing].sum() == 0
    by_device = np.add.reduceat(weights, stretches.first[:-1], axis=1)
    sizes = np.diff(stretches.first)
    assert (by_device % sizes == 0).all()  # a drawn device brings as many stretches as it has
    assert ((by_device / sizes).sum(axis=1) == 5).all()
    assert abs(weights[:, stretches.present].mean() - 1) < 0.05
    assert len(labels) > 0


def test_an_interval_of_nothing_is_unknown():
    assert np.isnan(interval(np.array([np.nan, np.nan])).low)
    found = interval(np.append(np.arange(101.0), np.nan))
    assert (found.low, found.high) == pytest.approx((2.5, 97.5))
