"""The exponentially weighted baseline: against its definition, in any order of arrival, saved and restored."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.config.durations import HOUR, MINUTE, SECOND
from netops.errors import NetopsError
from netops.features import saved
from netops.features.batch import Replay, transform
from netops.features.engine import SCORED, FeatureEngine
from netops.features.kernel import CHUNK
from netops.features.spec import BASELINE, FeatureSpec

from .oracle import assert_close
from .samples import START, devices, irregular, spec_of

SPEC = spec_of(windows=(20, 200), statistics=("mean", *BASELINE))
ONE = FeatureSpec(("cpu",), (MINUTE, HOUR), BASELINE)


def whole(spec, times, values):
    return transform(spec, np.array([0, len(times)]), times, values)


def column(spec, found, name):
    return found[:, spec.names.index(name)]


def steady(count, seed=0):
    return START + np.arange(count) * 5 * SECOND, np.random.default_rng(seed).normal(50, 2, (count, 1))


def test_columns_are_of_the_current_value_and_the_windows():
    assert ONE.names == (
        "cpu", "cpu_missing_1m", "cpu_missing_1h", "cpu_baseline_deviation", "cpu_baseline_deviation_1m",
        "cpu_baseline_deviation_1h", "cpu_baseline_std_ratio_1m",
    )  # fmt: skip
    assert ONE.has_baseline
    assert not FeatureSpec(("cpu",), (MINUTE, HOUR)).has_baseline


@settings(max_examples=60, deadline=None)
@given(devices())
def test_any_samples_agree_with_the_definition(device):
    assert_close(SPEC, *device, whole(SPEC, *device), tolerance=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_irregular_samples_agree_with_the_definition(seed):
    times, values = irregular(seed, 500)
    assert_close(SPEC, times, values, whole(SPEC, times, values))


def test_a_settled_baseline_of_regular_samples_is_that_of_pandas():
    times, values = steady(20_000)
    found, mean = whole(ONE, times, values), pd.Series(values[:, 0]).ewm(halflife=4 * 720).mean().shift()
    deviation = pd.Series(values[:, 0]).ewm(halflife=4 * 720).std(bias=True).shift()
    expected = (values[:, 0] - mean) / deviation
    np.testing.assert_allclose(column(ONE, found, "cpu_baseline_deviation")[-500:], expected[-500:], atol=0.05)


def test_a_baseline_is_unknown_until_it_is_of_as_many_values_as_the_longest_window():
    known = np.isfinite(column(ONE, whole(ONE, *steady(1000)), "cpu_baseline_deviation"))
    assert np.flatnonzero(known)[0] == 720
    assert known[720:].all()


def test_a_sample_does_not_hide_in_its_own_baseline():
    times, values = steady(2000)
    values[-1] = 90
    found = column(ONE, whole(ONE, times, values), "cpu_baseline_deviation")
    assert found[-1] == pytest.approx(20, abs=1)
    again = values.copy()
    again[-1] = 10
    np.testing.assert_array_equal(found[:-1], column(ONE, whole(ONE, times, again), "cpu_baseline_deviation")[:-1])


def test_a_failure_does_not_become_usual_at_once_but_a_new_level_does():
    times, values = steady(20_000)
    values[4000:] += 20
    found = column(ONE, whole(ONE, times, values), "cpu_baseline_deviation_1m")
    assert found[4020] > 9
    assert found[4100] > 4
    assert abs(found[-1]) < 1.5


def test_a_constant_value_that_changes_is_learnt_again():
    times, values = START + np.arange(40_000) * 5 * SECOND, np.zeros((40_000, 1))
    values[2000:] = 1.0
    found = column(ONE, whole(ONE, times, values), "cpu_baseline_deviation")
    assert found[1999] == 0
    assert found[2000] == 20
    assert abs(found[-1]) < 2


def test_a_gap_weighs_by_its_time_not_by_its_samples():
    times, values = steady(6000)
    values[5000:] += 6
    near, far = times.copy(), times.copy()
    far[5000:] += 40 * HOUR  # ten half-lives
    after = [column(ONE, whole(ONE, some, values), "cpu_baseline_deviation")[5200:].mean() for some in (near, far)]
    assert after[0] > 1.5
    assert abs(after[1]) < after[0] / 2


@settings(max_examples=40, deadline=None)
@given(devices(), st.integers(0, 60), st.sampled_from([0, 30, 600]))
def test_saving_and_restoring_in_the_middle_changes_nothing(device, middle, lateness):
    times, values = device
    engine, other = FeatureEngine(SPEC, lateness * SECOND), FeatureEngine(SPEC, lateness * SECOND)
    codes = np.zeros(len(times), np.int64)
    engine.update(codes[:middle], times[:middle], values[:middle])
    other.restore(7, engine.save(0))
    assert other.save(7) == engine.save(0)
    found, _ = other.update(codes[middle:] + 7, times[middle:], values[middle:])
    np.testing.assert_array_equal(found, whole(SPEC, times, values)[middle:])


@settings(max_examples=40, deadline=None)
@given(devices(), st.integers(1, 500), st.integers(0, 60), st.data())
def test_late_samples_also_after_a_restart_change_nothing_once_they_are_there(device, lateness, middle, data):
    times, values = device
    delays = data.draw(st.lists(st.integers(0, lateness), min_size=len(times), max_size=len(times)))
    order = np.argsort(times + np.array(delays) * SECOND, kind="stable")
    engine, seen = FeatureEngine(SPEC, lateness * SECOND), []
    for step, i in enumerate(order):
        if step == middle:
            state = engine.save(0)
            engine = FeatureEngine(SPEC, lateness * SECOND)
            engine.restore(0, state)
        found, status = engine.update_one(0, int(times[i]), values[i])
        assert status == SCORED
        seen = sorted([*seen, i])
        np.testing.assert_array_equal(found, whole(SPEC, times[seen], values[seen])[seen.index(i)])
    after = int(times[-1]) + 5 * SECOND
    both = np.append(times, after), np.vstack([values, values[:1]])
    np.testing.assert_array_equal(engine.update_one(0, after, values[0])[0], whole(SPEC, *both)[-1])


def test_late_samples_over_many_pages():
    times, values = irregular(2, 700, step=1)
    order = np.argsort(times + np.random.default_rng(0).integers(0, 100 * SECOND, len(times)), kind="stable")
    engine, codes = FeatureEngine(SPEC, 100 * SECOND), np.zeros(len(times), np.int64)
    _, status = engine.update(codes, times[order], values[order])
    assert (status == SCORED).all()
    inorder = FeatureEngine(SPEC, 100 * SECOND)
    inorder.update(codes, times, values)
    assert engine.save(0) == inorder.save(0)


def test_pages_that_are_released_leave_the_baseline():
    times, values = steady(4 * 720)
    spec = FeatureSpec(("cpu",), (MINUTE, 5 * MINUTE), BASELINE)
    engine, found = FeatureEngine(spec, MINUTE), []
    for start in range(0, len(times), 100):
        rows = slice(start, start + 100)
        found.append(engine.update(np.zeros(100, np.int64)[: len(times[rows])], times[rows], values[rows])[0])
        state = engine.save(0)
        engine.forget(0)
        engine.restore(0, state)
    assert engine.samples(0) <= 72 + 2 * CHUNK
    np.testing.assert_array_equal(np.concatenate(found), whole(spec, times, values))


def test_threads_and_chunks_change_nothing():
    times, values = irregular(1, 400)
    expected, replay = whole(SPEC, times, values), Replay(SPEC, 2)
    pieces = np.split(np.arange(400), (100, 350))
    found = [
        replay.feed(np.array([0, len(rows)]), times[rows], values[rows], continues=number > 0)
        for number, rows in enumerate(pieces)
    ]
    np.testing.assert_array_equal(np.concatenate(found), expected)
    offsets = np.array([0, 400, 800])
    twice = transform(SPEC, offsets, np.tile(times, 2), np.tile(values, (2, 1)), 2)
    np.testing.assert_array_equal(twice, np.concatenate([expected, expected]))


@pytest.mark.parametrize(("cut", "until"), [(99, 200), (149, 200), (149, 155), (140, 151), (149, 150), (120, 290)])
def test_samples_after_a_snapshot_extend_it_exactly(cut, until):
    times, values = irregular(5, 300)
    codes, engine, other = np.zeros(300, np.int64), FeatureEngine(SPEC), FeatureEngine(SPEC)
    engine.update(codes[:150], times[:150], values[:150])
    full = engine.save(0)
    engine.update(codes[150:until], times[150:until], values[150:until])
    other.restore(0, full)
    other.extend(0, int(times[cut]), engine.save(0, int(times[cut])))
    assert other.save(0) == engine.save(0)
    found, _ = other.update(codes[until:], times[until:], values[until:])
    np.testing.assert_array_equal(found, whole(SPEC, times, values)[until:])


def test_states_without_a_baseline_are_read_and_start_one():
    times, values = irregular(4, 300)
    plain = FeatureEngine(spec_of(windows=(20, 200), statistics=("mean",)))
    plain.update(np.zeros(300, np.int64), times, values)
    engine, other = FeatureEngine(SPEC), FeatureEngine(SPEC)
    engine.restore(0, plain.save(0))
    stored = saved.unpack(SPEC, 0, plain.save(0))
    other.update(np.zeros(len(stored[0]), np.int64), *stored)
    assert engine.save(0) == other.save(0)
    plain.restore(0, engine.save(0))
    assert plain.samples(0) == engine.samples(0)


def test_a_baseline_of_another_half_life_starts_again():
    times, values = irregular(4, 300)
    engine = FeatureEngine(SPEC)
    engine.update(np.zeros(300, np.int64), times, values)
    shorter, other = (FeatureEngine(spec_of(windows=(20, 100), statistics=BASELINE)) for _ in range(2))
    shorter.restore(0, engine.save(0))
    stored = saved.unpack(SPEC, 0, engine.save(0))
    other.update(np.zeros(len(stored[0]), np.int64), *stored)
    later = int(times[-1]) + SECOND
    np.testing.assert_array_equal(
        shorter.update_one(0, later, values[0])[0], other.update_one(0, later, values[0])[0]
    )


def test_a_truncated_baseline_is_refused():
    engine = FeatureEngine(SPEC)
    engine.update_one(0, START, np.ones(2))
    state = engine.save(0)
    for cut in range(1, 80, 8):
        with pytest.raises(NetopsError, match=r"damaged|truncated"):
            engine.restore(0, state[:-cut])


def test_a_forgotten_device_forgets_its_baseline():
    times, values = irregular(0, 300)
    engine = FeatureEngine(SPEC)
    engine.update(np.zeros(300, np.int64), times, values + 100)
    engine.forget(0)
    found, _ = engine.update(np.zeros(300, np.int64), times, values)
    np.testing.assert_array_equal(found, whole(SPEC, times, values))
