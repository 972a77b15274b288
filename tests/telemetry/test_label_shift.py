"""A log of incidents in another time zone."""

import numpy as np
import pytest

from netops.config.durations import HOUR, MINUTE
from netops.telemetry.checks.label_shift import ShiftScan


def scan(shift: int, strength: float = 4.0, devices: int = 4, seed: int = 0) -> ShiftScan:
    draw = np.random.default_rng(seed)
    found = ShiftScan()
    times = np.arange(4_000) * MINUTE
    for _ in range(devices):
        metrics = draw.normal(0, 1, (4_000, 3))
        starts = np.sort(draw.choice(np.arange(900, 3_000, 60), 5, replace=False)) * MINUTE
        for start in starts // MINUTE:
            metrics[start : start + 10] += strength
        found.add(times, metrics, starts + shift * HOUR, starts + shift * HOUR + 10 * MINUTE)
    return found


@pytest.mark.parametrize("shift", [-5, 1, 2])
def test_a_shift_of_whole_hours_is_found(shift: int) -> None:
    assert scan(shift).hours() == (-shift, 20)


def test_a_log_that_is_right_is_left_alone() -> None:
    assert [scan(0, seed=seed).hours() for seed in range(10)] == [None] * 10


def test_noise_is_no_shift() -> None:
    assert [scan(0, strength=0.0, seed=seed).hours() for seed in range(20)] == [None] * 20


def test_few_incidents_say_nothing() -> None:
    assert scan(1, devices=1).hours() is None
