"""Distributions in blocks of time."""

import numpy as np
import pytest

from netops.monitoring.histograms import Histograms, binned, flags


def made(values: np.ndarray, bins: int = 10, block: int = 100, times: np.ndarray | None = None) -> Histograms:
    times = np.arange(len(values)) if times is None else times
    histograms = binned(["a"], values[:, None], bins, block, 0, int(times.max()) // block + 1)
    histograms.add(times, values[:, None])
    return histograms


def test_bins_are_about_equally_full() -> None:
    histograms = made(np.random.default_rng(0).normal(size=5_000))
    shares = histograms.shares(0, len(histograms))[0]
    assert len(shares) == 10
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.002)


def test_a_value_that_many_share_has_a_bin_of_its_own() -> None:
    values = np.r_[np.zeros(600), np.random.default_rng(0).uniform(1, 2, 400)]
    shares = made(values).shares(0, 10)[0]
    assert shares.max() == pytest.approx(0.6)
    lower = made(values)
    lower.add(np.zeros(100, np.int64), np.full((100, 1), -1.0))
    assert lower.counts.sum(axis=0)[0, 0] == 100  # lower values are in another bin


def test_a_constant_shows_when_it_moves() -> None:
    histograms = made(np.zeros(100))
    present = histograms.emptied(0, 1)
    present.add(np.arange(100), np.full((100, 1), 0.001))
    assert (histograms.counts[0, 0] * present.counts[0, 0]).sum() == 0


def test_nan_and_other_times_are_ignored() -> None:
    histograms = flags(["a", "b"], 10, 5, 2)
    histograms.add(np.array([49, 50, 69, 70]), np.array([[1, 1], [1, 0], [0, np.nan], [1, 1.0]]))
    assert histograms.counts.tolist() == [[[0, 1], [1, 0]], [[1, 0], [0, 0]]]


def test_a_series_without_values_has_no_shares() -> None:
    assert np.isnan(made(np.full(10, np.nan)).shares(0, 1)).all()


def test_times_fall_into_their_blocks() -> None:
    histograms = made(np.ones(250), times=np.arange(250))
    assert histograms.counts.sum(axis=(1, 2)).tolist() == [100, 100, 50]
