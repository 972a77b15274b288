"""Counters become rates, in batch and in streaming alike."""

import numpy as np
import pytest

from netops.telemetry.columns.counter_stream import CounterRates
from netops.telemetry.columns.counters import rates

SECOND = 10**9


def test_a_rate_is_the_increase_per_second_since_the_last_known_value() -> None:
    offsets = np.array([0, 6, 8])
    times = np.array([0, 5, 10, 20, 22, 30, 0, 4]) * SECOND
    values = np.array([100.0, 150.0, np.nan, 180.0, 8.0, 8.0, 1e15, 1e15 + 4])
    expected = [np.nan, 10.0, np.nan, 2.0, 4.0, 0.0, np.nan, 1.0]
    np.testing.assert_array_equal(rates(offsets, times, values), expected)


@pytest.mark.parametrize("values", [[], [np.nan], [7.0], [np.nan, 7.0]])
def test_one_value_has_no_rate(values: list[float]) -> None:
    times = np.arange(len(values)) * SECOND
    assert np.isnan(rates(np.array([0, len(values)]), times, np.array(values))).all()


def test_devices_without_rows_do_not_matter() -> None:
    offsets = np.array([0, 0, 2, 2, 4, 4])
    result = rates(offsets, np.array([0, 1, 0, 1]) * SECOND, np.array([1.0, 2.0, 9.0, 12.0]))
    np.testing.assert_array_equal(result, [np.nan, 1.0, np.nan, 3.0])


def test_streaming_gives_what_batch_gives() -> None:
    draw = np.random.default_rng(2)
    devices, samples, metrics = 5, 60, ("cpu", "bytes", "packets")
    values = draw.integers(0, 100, (devices, samples, 3)).astype(float)
    values[:, :, 1:] = values[:, :, 1:].cumsum(axis=1)
    values[2, 30:, 1] -= values[2, 30, 1]
    values[draw.random(values.shape) < 0.1] = np.nan
    times = draw.integers(1, 9, (devices, samples)).cumsum(axis=1) * SECOND
    offsets = np.arange(devices + 1) * samples
    batch = values.reshape(-1, 3).copy()
    for column in (1, 2):
        batch[:, column] = rates(offsets, times.ravel(), batch[:, column])
    stream, engine = np.empty_like(values), CounterRates(metrics, ["bytes", "packets"])
    arrivals = np.stack([np.repeat(np.arange(devices), samples), np.tile(np.arange(samples), devices)], axis=1)
    order = np.argsort(times.ravel(), kind="stable")
    for rows in np.array_split(arrivals[order], 17):
        moved = CounterRates(metrics, ["bytes", "packets"])  # as after a restart
        for device in range(devices):
            moved.restore(device, engine.save(device))
        engine = moved
        code, sample = rows.T
        stream[code, sample] = engine.update(code, times[code, sample], values[code, sample])
    np.testing.assert_array_equal(stream.reshape(-1, 3), batch)


def test_late_rows_leave_the_state_alone() -> None:
    engine = CounterRates(["n"], ["n"])
    at = lambda second, value: engine.update(  # noqa: E731
        np.array([0]), np.array([second * SECOND]), np.array([[float(value)]])
    )[0, 0]
    assert np.isnan(at(0, 10))
    assert at(10, 20) == 1
    assert np.isnan(at(5, 15))
    assert np.isnan(at(10, 20))
    assert at(20, 40) == 2


def test_a_device_that_was_forgotten_starts_again() -> None:
    engine = CounterRates(["n"], ["n"])
    row = np.array([3]), np.array([[5.0]])
    engine.update(row[0], np.array([SECOND]), row[1])
    engine.forget(3)
    assert engine.save(3) == b""
    assert np.isnan(engine.update(row[0], np.array([2 * SECOND]), row[1])[0, 0])
    with pytest.raises(ValueError, match="other counters"):
        engine.restore(0, b"12345678")
