"""Scaling: float64 to the end, robust against spikes, the same in the file."""

import numpy as np
import pytest

from netops.models.scaling import Scaling


def test_keeps_small_changes_of_large_values() -> None:
    values = 1e9 + np.arange(100, dtype=np.float64).reshape(-1, 1) / 100
    scaled = Scaling.fit(values, 1e9, fill=False).apply(values)
    assert scaled.dtype == np.float32
    assert len(np.unique(scaled)) == 100
    assert np.ptp(scaled) == pytest.approx(3.46, rel=0.02)


def test_one_spike_does_not_flatten_the_rest() -> None:
    values = np.random.default_rng(0).normal(size=(1_000, 1))
    values[7] = 1e12
    scaled = Scaling.fit(values, 1e9, fill=False).apply(values)
    assert np.delete(scaled, 7).std() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize(
    "column", [np.full(50, np.nan), np.full(50, 7.0), np.full(50, 1e300), np.array([np.inf] * 50)]
)
def test_columns_that_say_nothing(column: np.ndarray) -> None:
    scaling = Scaling.fit(column.reshape(-1, 1), 8.0, fill=True)
    assert scaling.spread[0] > 0
    assert np.isfinite(scaling.apply(column.reshape(-1, 1))).all()


def test_fills_or_keeps_missing_and_clips() -> None:
    values = np.array([[np.nan, 1e300, -np.inf]])
    scaling = Scaling(np.zeros(3), np.ones(3), 8.0, fill=True)
    np.testing.assert_array_equal(scaling.apply(values), [[0, 8, -8]])
    stored = Scaling(np.zeros(3), np.ones(3), 8.0, fill=False).apply(values)
    np.testing.assert_array_equal(stored, [[np.nan, 8, -8]])


def test_round_trip() -> None:
    scaling = Scaling.fit(np.random.default_rng(1).normal(size=(50, 3)), 8.0, fill=True)
    again = Scaling.from_dict(scaling.to_dict())
    np.testing.assert_array_equal(again.centre, scaling.centre)
    np.testing.assert_array_equal(again.spread, scaling.spread)
    assert (again.limit, again.fill) == (scaling.limit, scaling.fill)
