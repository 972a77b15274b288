"""Incidents that follow the clock."""

import numpy as np
import pytest

from netops.config.durations import DAY, HOUR, MINUTE, SECOND
from netops.telemetry.checks.clock_incidents import clock_findings, follows_clock

BEGIN = 20_000 * DAY


def random_starts(count: int, days: int, seed: int = 0, interval: int = MINUTE) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return BEGIN + np.sort(draw.integers(0, days * DAY // interval, count)) * interval


def test_a_daily_job_among_failures_is_found() -> None:
    job = BEGIN + np.arange(12) * DAY + 3 * HOUR
    starts = np.concatenate([job, random_starts(20, 12)])
    found = follows_clock(starts, ["a"] * 32, MINUTE)
    assert found[:12].all()
    assert found[12:].sum() <= 1


def test_jobs_at_another_time_on_each_device_are_found() -> None:
    starts = np.concatenate([BEGIN + np.arange(8) * DAY + hour * HOUR for hour in range(5)])
    devices = [f"d{n}" for n in range(5) for _ in range(8)]
    assert follows_clock(starts, devices, MINUTE).all()
    assert list(clock_findings(starts, devices, MINUTE)) == [
        (
            "incidents",
            "40 of 40 repeatedly start at the same time of day on the same device (d0, d1, d2, d3, d4): "
            "planned work, or a scheduled job?",
        )
    ]


def test_an_hourly_job_is_found_by_its_minute() -> None:
    starts = BEGIN + np.arange(0, 60, 3) * HOUR + 7 * MINUTE
    jittered = starts + np.random.default_rng(1).integers(0, 3, 20) * HOUR * 5
    (_, message), *_ = clock_findings(np.unique(jittered), ["a"] * len(np.unique(jittered)), SECOND)
    assert "minute of the hour" in message


@pytest.mark.parametrize(("interval", "days"), [(MINUTE, 30), (HOUR, 60), (DAY, 400), (5 * SECOND, 3)])
def test_failures_at_any_time_are_no_work_of_a_clock(interval: int, days: int) -> None:
    """Hourly and daily samples all begin at one minute: that is the sampling, not the incidents."""
    for seed in range(10):
        starts = np.concatenate([random_starts(25, days, 10 * seed + n, interval) for n in range(4)])
        devices = [f"d{n}" for n in range(4) for _ in range(25)]
        assert list(clock_findings(starts, devices, interval)) == []


def test_many_bursts_in_one_day_are_one_day() -> None:
    starts = BEGIN + np.arange(30) * 20 * SECOND
    assert not follows_clock(starts, ["a"] * 30, SECOND).any()


def test_thousands_of_incidents_are_looked_at_in_seconds() -> None:
    starts = random_starts(4_000, 300)
    assert follows_clock(starts, ["a"] * 4_000, MINUTE).mean() < 0.01
