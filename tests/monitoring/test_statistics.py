"""How far distributions are apart."""

import numpy as np
import pytest

from netops.monitoring.distances import MINIMA, QUADRATIC, STATISTICS, energy

EVEN = np.full(10, 0.1)
RAISED = np.r_[np.full(9, 0.08), 0.28]


@pytest.mark.parametrize("name", STATISTICS)
def test_is_zero_for_alike_and_grows_with_the_move(name: str) -> None:
    statistic = STATISTICS[name]
    moves = [statistic((1 - share) * EVEN + share * RAISED, EVEN) for share in (0, 0.25, 0.5, 1)]
    assert moves[0] == 0
    assert (np.diff(moves) > 0).all()


def test_known_values() -> None:
    now, reference = np.array([0.25, 0.75]), np.array([0.5, 0.5])
    expected = {
        "psi": 0.25 * np.log(3),
        "ks": 0.25,
        "total_variation": 0.25,
    }
    assert {name: STATISTICS[name](now, reference) for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize("name", STATISTICS)
def test_empty_bins_and_unknown_series_do_no_harm(name: str) -> None:
    apart = STATISTICS[name](np.array([[1.0, 0.0], [np.nan, np.nan]]), np.array([[0.0, 1.0], [0.5, 0.5]]))
    assert np.isfinite(apart[0])
    assert apart[0] > MINIMA[name]
    assert np.isnan(apart[1])


@pytest.mark.parametrize("name", STATISTICS)
def test_energy_of_a_small_move_is_quadratic(name: str) -> None:
    """Twice the move, four times the energy: otherwise noise would not add up as chi-square does."""
    once, twice = (STATISTICS[name]((1 - s) * EVEN + s * RAISED, EVEN) for s in (0.01, 0.02))
    assert energy(name, twice) / energy(name, once) == pytest.approx(4, rel=0.06)
    assert (name in QUADRATIC) == (energy(name, once) == once)
