"""Statistics relative to the longest window: names, meaning, when they are known, and that they see no future."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.config.durations import HOUR, MINUTE, SECOND
from netops.features.batch import transform
from netops.features.engine import FeatureEngine
from netops.features.spec import RELATIVE, FeatureSpec

from .oracle import assert_close
from .samples import START, devices, irregular, spec_of

#: Both windows of the device of hypothesis are full at some samples and not at others.
SPEC = spec_of(windows=(20, 200), statistics=("mean", *RELATIVE))
ONE = FeatureSpec(("cpu",), (MINUTE, HOUR), RELATIVE)


def whole(spec, times, values):
    return transform(spec, np.array([0, len(times)]), times, values)


def column(spec, found, name):
    return found[:, spec.names.index(name)]


def steady(count, step=5, seed=0):
    return START + np.arange(count) * step * SECOND, np.random.default_rng(seed).normal(50, 2, (count, 1))


def test_columns_come_after_those_of_the_windows():
    spec = FeatureSpec(("cpu", "loss"), (MINUTE, HOUR), ("mean", "deviation", "shift"))
    assert spec.names[:8] == (
        "cpu", "cpu_mean_1m", "cpu_missing_1m", "cpu_mean_1h", "cpu_missing_1h",
        "cpu_deviation", "cpu_deviation_1m", "cpu_shift_1m",
    )  # fmt: skip
    assert spec.names[8] == "loss"


def test_the_longest_window_is_the_reference_wherever_it_is_listed():
    assert FeatureSpec(("a",), (HOUR, MINUTE), ("shift",)).names[-1] == "a_shift_1m"
    times, values = irregular(3, 300)
    last, first = (spec_of(windows=some, statistics=RELATIVE) for some in ((60, 371), (371, 60)))
    assert_close(first, times, values, whole(first, times, values))
    for name in last.names:
        np.testing.assert_array_equal(
            column(last, whole(last, times, values), name), column(first, whole(first, times, values), name)
        )


def test_one_window_has_the_deviation_of_the_current_value_only():
    spec = FeatureSpec(("a",), (HOUR,), RELATIVE)
    assert spec.names == ("a", "a_missing_1h", "a_deviation")
    times, values = steady(1000)
    assert_close(spec, times, values, whole(spec, times, values))


@settings(max_examples=60, deadline=None)
@given(devices(), st.integers(0, 60))
def test_any_samples_agree_with_the_definition_also_after_a_restart(device, middle):
    times, values = device
    found = whole(SPEC, times, values)
    assert_close(SPEC, times, values, found)
    engine, other, codes = FeatureEngine(SPEC), FeatureEngine(SPEC), np.zeros(len(times), np.int64)
    engine.update(codes[:middle], times[:middle], values[:middle])
    other.restore(0, engine.save(0))
    rest, _ = other.update(codes[middle:], times[middle:], values[middle:])
    np.testing.assert_array_equal(rest, found[middle:])


def test_a_level_is_unknown_until_the_samples_cover_the_longest_window():
    times, values = steady(1000)
    found = whole(ONE, times, values)
    known = np.isfinite(column(ONE, found, "cpu_deviation_1m"))
    assert np.flatnonzero(known)[0] == 647, "648 samples each 5 s are nine tenths of an hour"
    assert known[647:].all()
    assert np.isfinite(column(ONE, found, "cpu_residual_1m")).all()


def test_a_level_is_unknown_again_after_a_long_gap():
    times, values = steady(2000)
    times[1000:] += 2 * HOUR
    known = np.isfinite(column(ONE, whole(ONE, times, values), "cpu_shift_1m"))
    assert known[999]
    assert not known[1000:1647].any()
    assert known[1647:].all()


def test_a_rise_is_seen_in_deviations():
    times, values = steady(2000)
    values[1500:] += 8  # four standard deviations
    found = whole(ONE, times, values)
    assert column(ONE, found, "cpu_deviation_1m")[1499] == pytest.approx(0, abs=1.5)
    assert column(ONE, found, "cpu_deviation_1m")[1512] == pytest.approx(4, abs=1)
    assert column(ONE, found, "cpu_shift_1m")[1512] == pytest.approx(8, abs=1.5)
    assert column(ONE, found, "cpu_max_deviation_1m")[1512] > column(ONE, found, "cpu_deviation_1m")[1512]
    assert column(ONE, found, "cpu_min_deviation_1m")[1512] < column(ONE, found, "cpu_deviation_1m")[1512]


@pytest.mark.parametrize("level", [0.0, 0.1, 1e9])
def test_a_constant_value_has_no_deviation(level):
    times = START + np.arange(1000) * 5 * SECOND
    found = whole(ONE, times, np.full((1000, 1), level))[-1, 3:]
    np.testing.assert_array_equal(found, np.zeros(7))


def test_a_jump_of_a_constant_value_is_limited():
    times, values = START + np.arange(1000) * 5 * SECOND, np.zeros((1000, 1))
    values[-1] = 1e-6
    found = whole(ONE, times, values)
    assert column(ONE, found, "cpu_deviation")[-1] == 20
    assert column(ONE, found, "cpu_std_ratio_1m")[-2:].tolist() == [
        0,
        pytest.approx(np.log(np.sqrt(719 / 11)), rel=0.1),
    ]


@settings(max_examples=40, deadline=None)
@given(devices(), st.data())
def test_the_future_changes_nothing(device, data):
    times, values = device
    cut = data.draw(st.integers(0, len(times)))
    changed = values.copy()
    changed[cut:] = data.draw(st.sampled_from([0.0, 1e6, np.nan]))
    np.testing.assert_array_equal(whole(SPEC, times, values)[:cut], whole(SPEC, times, changed)[:cut])
    np.testing.assert_array_equal(whole(SPEC, times, values)[:cut], whole(SPEC, times[:cut], values[:cut]))
