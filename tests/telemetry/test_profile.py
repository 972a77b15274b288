"""How columns move: metrics, counters and clocks are distinguished."""

from collections.abc import Callable

import numpy as np
import pytest

from netops.telemetry.columns.profile import Profile, profile

DEVICES, SAMPLES = 3, 200
OFFSETS = np.arange(DEVICES + 1) * SAMPLES
DRAW = np.random.default_rng(4)
TIMES = np.tile(np.cumsum(DRAW.integers(4, 7, SAMPLES)) * 10**9, DEVICES)
SECONDS = TIMES / 1e9
ROWS = np.arange(DEVICES * SAMPLES).astype(float)


def per_device(make: Callable[[], np.ndarray]) -> np.ndarray:
    return np.concatenate([make() for _ in range(DEVICES)])


def restarted(counter: np.ndarray) -> np.ndarray:
    return np.where(np.arange(SAMPLES) < 120, counter, counter - counter[120] + 3)


COLUMNS: dict[str, tuple[np.ndarray, str]] = {
    "noise": (DRAW.normal(0, 1, 600), "metric"),
    "whole noise": (DRAW.poisson(5, 600).astype(float), "metric"),
    "random walk": (per_device(lambda: 1e3 + DRAW.normal(0, 1, SAMPLES).cumsum()), "metric"),
    "step": (per_device(lambda: np.repeat([4.0, 5.0], SAMPLES // 2)), "metric"),
    "sawtooth of memory": (per_device(lambda: np.arange(SAMPLES) % 50 + DRAW.normal(0, 2, SAMPLES)), "metric"),
    "bytes": (per_device(lambda: DRAW.integers(0, 10**9, SAMPLES).cumsum().astype(float)), "counter"),
    "bytes, restarted": (per_device(lambda: restarted(DRAW.integers(1, 99, SAMPLES).cumsum() + 1e6)), "counter"),
    "seconds of work": (per_device(lambda: DRAW.random(SAMPLES).cumsum()), "counter"),
    "drops, now and then": (per_device(lambda: (DRAW.random(SAMPLES) < 0.1).cumsum().astype(float)), "counter"),
    "row number": (ROWS, "clock"),
    "row number, downwards": (1e4 - 3 * ROWS, "clock"),
    "uptime": (SECONDS + 1e6, "clock"),
    "time since something": (np.where(ROWS % 100 < 50, SECONDS, SECONDS - SECONDS[50]), "clock"),
    "time to something": (2e6 - SECONDS, "clock"),
}


def kind(found: Profile) -> str:
    return "clock" if found.is_clock else "counter" if found.is_counter else "metric"


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "with gaps"])
def test_columns_are_distinguished(name: str, gaps: bool) -> None:
    values, expected = COLUMNS[name]
    if gaps:
        values = np.where(np.random.default_rng(1).random(len(values)) < 0.2, np.nan, values)
    assert kind(profile(OFFSETS, TIMES, values)) == expected


@pytest.mark.parametrize("name", COLUMNS)
def test_profiles_of_parts_add_up(name: str) -> None:
    values = np.where(ROWS % 17 == 0, np.nan, COLUMNS[name][0])
    values[3] = np.inf
    cut = slice(None, 2 * SAMPLES), slice(2 * SAMPLES, None)
    parts = [
        profile(offsets, TIMES[rows], values[rows])
        for offsets, rows in zip((OFFSETS[:3], OFFSETS[:2]), cut, strict=True)
    ]
    assert sum(parts, Profile()) == profile(OFFSETS, TIMES, values)


def test_a_short_column_is_no_clock() -> None:
    few = slice(0, 20)
    assert kind(profile(np.array([0, 20]), TIMES[few], ROWS[few])) == "metric"


def test_nothing_is_known_of_an_empty_column() -> None:
    assert profile(OFFSETS, TIMES, np.full(600, np.nan)) == Profile()
