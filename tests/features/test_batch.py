import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.config.durations import SECOND
from netops.errors import NetopsError
from netops.features.batch import Replay, transform

from .oracle import assert_close
from .samples import ALL, PLAIN, START, devices, irregular, spec_of

KINDS = pytest.mark.parametrize("statistics", [PLAIN, ALL], ids=["plain", "all"])


def one(spec, times, values):
    return transform(spec, np.array([0, len(times)]), times, values)


@KINDS
@pytest.mark.parametrize("seed", range(6))
def test_irregular_times_and_missing_values_agree_with_the_definition(seed, statistics):
    times, values = irregular(seed, 400)
    spec = spec_of(statistics=statistics)
    assert_close(spec, times, values, one(spec, times, values))


@KINDS
@settings(max_examples=80, deadline=None)
@given(devices())
def test_any_samples_agree_with_the_definition(statistics, device):
    spec = spec_of(statistics=statistics)
    assert_close(spec, *device, one(spec, *device))


@pytest.mark.parametrize("statistic", ALL)
def test_each_statistic_alone_agrees_with_the_definition(statistic):
    times, values = irregular(11, 150)
    spec = spec_of(statistics=(statistic,))
    assert_close(spec, times, values, one(spec, times, values))


def test_a_spike_that_left_the_window_leaves_nothing_behind():
    times = START + np.arange(800) * 5 * SECOND
    values = np.random.default_rng(0).random((800, 1))
    values[[7, 130, 131, 400]] = 1e12
    spec = spec_of(metrics=1, windows=(60, 600))
    assert_close(spec, times, values, one(spec, times, values))


@pytest.mark.parametrize("level", [1e9, -1e9, 1e12])
def test_values_far_from_zero_keep_their_spread(level):
    times, values = irregular(5, 500, missing=0.05)
    for statistics in (PLAIN, ALL):
        spec = spec_of(windows=(60, 900), statistics=statistics)
        assert_close(spec, times, values + level, one(spec, times, values + level))


def test_windows_of_one_sample():
    times, values = START + np.arange(5) * 100 * SECOND, np.arange(10.0).reshape(5, 2)
    spec = spec_of(windows=(60, 100), statistics=("mean", "std", "slope", "last_change", "count"))
    found = one(spec, times, values)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    np.testing.assert_array_equal(found[:, 2:7], [[0, 0, 0, 1, 0]] * 5)


@KINDS
def test_long_windows_cross_many_pages(statistics):
    times, values = irregular(3, 1500, metrics=1, step=1)
    spec = spec_of(metrics=1, windows=(1, 33, 700), statistics=statistics)
    found = one(spec, times, values)
    some = slice(900, 1100)
    near = times > times[900] - 701 * SECOND
    near &= times <= times[1099]
    assert_close(spec, times[near], values[near], one(spec, times[near], values[near]))
    np.testing.assert_array_equal(found[some], one(spec, times[near], values[near])[-200:])


@KINDS
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(threads, statistics):
    spec = spec_of(statistics=statistics)
    counts = [0, 3, 200, 1, 77, 400, 0]
    offsets = np.concatenate(([0], np.cumsum(counts)))
    parts = [irregular(i, n) for i, n in enumerate(counts)]
    times, values = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    found = transform(spec, offsets, times, values, threads)
    apart = [one(spec, *part) for part in parts]
    np.testing.assert_array_equal(found, np.concatenate(apart))


@KINDS
@pytest.mark.parametrize("cuts", [(1,), (199, 200, 201), (100, 350)])
def test_a_device_may_reach_over_pieces(cuts, statistics):
    times, values = irregular(1, 400)
    spec = spec_of(statistics=statistics)
    whole, replay, found = one(spec, times, values), Replay(spec, 2), []
    for number, rows in enumerate(np.split(np.arange(400), cuts)):
        found.append(replay.feed(np.array([0, len(rows)]), times[rows], values[rows], continues=number > 0))
    np.testing.assert_array_equal(np.concatenate(found), whole)


def test_no_samples():
    assert transform(spec_of(), np.zeros(1, np.int64), np.empty(0, np.int64), np.empty((0, 2))).shape == (
        0,
        len(spec_of().names),
    )


@pytest.mark.parametrize(
    ("times", "message"), [([5, 4], "row 1: .*sort"), ([5, 5], "row 1: .*sort"), ([-1, 4], "row 0: .*before 1970")]
)
def test_times_out_of_order_are_refused(times, message):
    with pytest.raises(NetopsError, match=message):
        one(spec_of(), np.array(times), np.zeros((2, 2)))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(NetopsError, match="do not fit"):
        one(spec_of(), np.arange(3), np.zeros((3, 5)))


@settings(max_examples=25, deadline=None)
@given(st.lists(devices(most=20), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_devices_changes_nothing(some, random):
    order = list(range(len(some)))
    random.shuffle(order)
    shuffled = [some[i] for i in order]
    offsets = np.concatenate(([0], np.cumsum([len(times) for times, _ in shuffled])))
    times, values = (np.concatenate([device[i] for device in shuffled]) for i in (0, 1))
    found = np.split(transform(spec_of(), offsets, times, values), offsets[1:-1])
    for index, i in enumerate(order):
        np.testing.assert_array_equal(found[index], one(spec_of(), *some[i]))
