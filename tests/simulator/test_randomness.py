import math
from statistics import NormalDist

import numpy as np
import pytest

from netops.simulator.randomness import derive, key_of, normal, quantile, uniform


@pytest.mark.parametrize("p", [1e-300, 1e-15, 1e-4, 0.02, 0.0749, 0.3, 0.5, 0.6, 0.93, 0.9999, 1 - 1e-12])
def test_quantile_is_the_normal_distribution_s(p: float) -> None:
    assert quantile(p) == pytest.approx(NormalDist().inv_cdf(p), rel=1e-12, abs=1e-15)


def test_uniform_numbers_are_uniform_and_never_0_or_1() -> None:
    drawn = np.array([uniform(key_of(1), index) for index in range(50_000)])
    assert 0 < drawn.min() < drawn.max() < 1
    edges = np.sort(drawn) - np.arange(len(drawn)) / len(drawn)
    assert np.abs(edges).max() < 1.95 / math.sqrt(len(drawn))  # Kolmogorov-Smirnov at 0.001


def test_normal_numbers_have_no_memory() -> None:
    drawn = np.array([normal(key_of(2), index) for index in range(-20_000, 20_000)])
    assert abs(drawn.mean()) < 0.02
    assert drawn.std() == pytest.approx(1, abs=0.02)
    for lag in (1, 2, 3, 7, 64):
        assert abs(np.mean(drawn[lag:] * drawn[:-lag])) < 0.02


def test_neighbouring_keys_share_nothing() -> None:
    one, other = (np.array([normal(key_of(7, device), i) for i in range(20_000)]) for device in (3, 4))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03


@pytest.mark.parametrize("seed", [0, -1, 2**63, 2**64 + 5, 10**30])
def test_any_whole_number_is_a_seed(seed: int) -> None:
    assert 0 < uniform(key_of(seed, 1, 2), 3) < 1


def test_keys_of_many_parts_differ() -> None:
    keys = {int(derive(key_of(seed), number)) for seed in range(100) for number in range(100)}
    assert len(keys) == 10_000
