"""Sliding windows, and the chance of any false alarm."""

import numpy as np
import pytest

from netops.config.durations import DAY, HOUR
from netops.monitoring.settings import MonitoringSettings
from netops.monitoring.windows import Grid, Moves, detected, holm


def test_windows_end_at_the_newest_telemetry() -> None:
    grid = Grid.over(0, 3 * DAY - 1, HOUR, MonitoringSettings())
    assert grid.length == 24
    assert grid.stops == tuple(range(24, 73, 6))
    assert grid.ends[-1] == 3 * DAY
    assert grid.per_month == 120


def test_little_telemetry_is_one_short_window() -> None:
    grid = Grid.over(5 * HOUR, 8 * HOUR + 1, HOUR, MonitoringSettings())
    assert (grid.length, grid.stops) == (4, (9,))


def test_holm_rejects_what_bonferroni_does_and_more() -> None:
    p_values = np.array([0.04, 0.001, np.nan, 0.012, 0.3, 0.02])
    assert holm(p_values, 0.05).tolist() == [False, True, False, True, False, False]
    assert not holm(np.full(3, np.nan), 0.05).any()
    assert holm(np.zeros(3), 0.05).all()


def test_the_chance_of_any_false_alarm_in_a_month_is_held() -> None:
    """Exact p-values of 40 features in all windows of a month, a thousand times."""
    settings = MonitoringSettings(false_alarms_per_month=0.2)
    grid = Grid.over(0, 31 * DAY - 1, HOUR, settings)
    random, alarms = np.random.default_rng(0), 0
    for _ in range(1_000):
        chance = random.uniform(size=(len(grid.stops), 40))
        moves = Moves("feature", tuple(map(str, range(40))), np.ones_like(chance), chance, 0.1)
        alarms += detected([moves], grid, settings)[0].any()
    assert alarms / 1_000 == pytest.approx(0.18, abs=0.04)


def test_a_small_shift_is_not_reported_even_if_significant() -> None:
    settings = MonitoringSettings()
    grid = Grid.over(0, DAY - 1, HOUR, settings)
    sure = np.zeros((1, 2))
    features = Moves("feature", ("a", "b"), np.array([[0.04, 0.06]]), sure, 0.05)
    missing = Moves("missing", ("a", "b"), np.array([[0.03, 0.01]]), sure, 0.02)
    found = detected([features, missing], grid, settings)
    assert [flags.tolist() for flags in found] == [[[False, True]], [[True, False]]]
