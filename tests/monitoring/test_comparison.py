"""Windows against a reference, and what chance does."""

import numpy as np
import pytest

from netops.monitoring.comparison import Comparer, Rhythm, matched
from netops.monitoring.distances import STATISTICS, energy
from netops.monitoring.histograms import Histograms, binned

SLOTS = 24


def network(
    days: int, seed: int, shift: float = 0.0, series: int = 30, like: Histograms | None = None
) -> Histograms:
    """Hourly histograms of series with a daily rhythm and noise that lasts from sample to sample."""
    random = np.random.default_rng(seed)
    samples = 40
    steps = days * SLOTS * samples
    noise = random.normal(size=(steps, series))
    for step in range(1, steps):
        noise[step] = 0.8 * noise[step - 1] + 0.6 * noise[step]
    hours = np.arange(steps) / samples
    values = noise + 1.5 * np.sin(2 * np.pi * hours / SLOTS)[:, None] + shift
    times = np.arange(steps) * 10
    if like is None:
        like = binned([f"s{n}" for n in range(series)], values, 10, samples * 10, 0, 1)
    histograms = like.emptied(0, days * SLOTS)
    histograms.add(times, values)
    return histograms


def p_values(days: int, shift: float, statistic: str, length: int = SLOTS) -> np.ndarray:
    reference = network(days, 1)
    present = network(20, 2, shift, like=reference)
    comparer = Comparer(Rhythm(reference, SLOTS), statistic)
    by_slot, slots = comparer.rhythm.by_slot(), present.numbers % SLOTS
    starts = range(0, len(present) - length + 1, length)
    scores = [comparer.distances(present.counts[s : s + length], slots[s : s + length], by_slot) for s in starts]
    return comparer.null_distribution(length).p_values(energy(statistic, np.array(scores)))


@pytest.mark.parametrize("statistic", STATISTICS)
def test_p_values_are_calibrated(statistic: str) -> None:
    """600 windows that differ by chance alone; the p-values of a plain test would be around zero for most."""
    found = p_values(7, 0.0, statistic)
    assert (found < 0.05).mean() < 0.1
    assert (found < 0.01).mean() < 0.03
    assert (found < 0.5).mean() > 0.25  # nor is it blind
    assert found.min() > 1e-6


@pytest.mark.parametrize("days", [1, 2, 3])
def test_a_short_reference_is_careful(days: int) -> None:
    assert p_values(days, 0.0, "psi").min() > 1e-5


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_shift_is_beyond_chance(statistic: str) -> None:
    assert np.median(p_values(7, 0.8, statistic)) < 1e-5


def test_half_a_day_is_compared_with_the_same_half_of_other_days() -> None:
    found = p_values(7, 0.0, "psi", length=SLOTS // 2)
    assert (found < 0.01).mean() < 0.03


def test_times_unknown_to_the_reference_are_ignored() -> None:
    reference = network(1, 1)
    morning = Rhythm(Histograms(reference.names, reference.edges, 1, 0, reference.counts[:12]), SLOTS)
    present = network(1, 2, like=reference)
    now, then = matched(present.counts, np.arange(SLOTS), morning.by_slot())
    first_half = present.counts[:12].sum(axis=0)
    assert now == pytest.approx(first_half / first_half.sum(axis=-1, keepdims=True))
    assert then.sum(axis=-1) == pytest.approx(1)
    evening, _ = matched(present.counts[12:], np.arange(12, SLOTS), morning.by_slot())
    assert np.isnan(evening).all()


def test_a_reference_shorter_than_its_memory_gives_no_result() -> None:
    reference = network(1, 1)
    chance = Comparer(Rhythm(reference, SLOTS, memory=6), "psi").null_distribution(SLOTS)
    assert np.isnan(chance.p_values(np.ones(len(reference.names)))).all()
