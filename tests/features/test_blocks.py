"""The kernel of stored samples against that of streams, bit for bit."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.errors import NetopsError
from netops.features import batch, blocks
from netops.features.batch import Replay
from netops.features.engine import FeatureEngine
from netops.features.lanes import LANES
from netops.features.statistics import selection
from netops.kernels import inlined, kernel

from .samples import ALL, PLAIN, START, devices, irregular, spec_of

METRICS = LANES + 1


def streamed(spec, times, values):
    return FeatureEngine(spec).update(np.zeros(len(times), np.int64), times, values)[0]


def assert_same(found, expected):
    """Equal to the bit: 0.0 is not -0.0; any NaN is a NaN."""
    some, others = np.ascontiguousarray(found), np.ascontiguousarray(expected)
    same = (some.view(np.int64) == others.view(np.int64)) | (np.isnan(some) & np.isnan(others))
    assert same.all(), np.argwhere(~same)[:5]


@pytest.mark.parametrize("metrics", range(1, 2 * LANES + 2))
def test_any_number_of_metrics(metrics):
    times, values = irregular(metrics, 500, metrics)
    spec = spec_of(metrics, windows=(7, 60, 371))
    plain = spec_of(metrics, windows=(7, 60, 371), statistics=PLAIN)
    positions = [spec.names.index(name) for name in plain.names]
    assert_same(batch.transform(plain, np.array([0, 500]), times, values), streamed(plain, times, values))
    assert_same(streamed(plain, times, values), streamed(spec, times, values)[:, positions])


@settings(max_examples=150, deadline=None)
@given(st.lists(devices(metrics=METRICS), min_size=1, max_size=4), st.lists(st.integers(0, 240), max_size=5))
def test_any_devices_in_any_pieces(some, cuts):
    spec = spec_of(METRICS, windows=(1, 60, 371), statistics=PLAIN)
    offsets = np.concatenate([[0], np.cumsum([len(times) for times, _ in some])])
    times, values = (np.concatenate([device[i] for device in some]) for i in (0, 1))
    replay, found = Replay(spec, 2), []
    edges = sorted({0, len(times), *(cut for cut in cuts if cut < len(times))})
    for first, last in pairwise(edges):
        inside = [edge for edge in offsets.tolist() if first < edge < last]
        piece = np.array([first, *inside, last])
        continues = first > 0 and first not in offsets
        found.append(replay.feed(piece - first, times[first:last], values[first:last], continues))
    assert_same(np.concatenate(found), np.concatenate([streamed(spec, *device) for device in some]))


@pytest.mark.parametrize("statistic", PLAIN)
def test_each_statistic_alone(statistic):
    times, values = irregular(3, 300, METRICS)
    spec = spec_of(METRICS, statistics=(statistic,))
    assert_same(batch.transform(spec, np.array([0, 300]), times, values), streamed(spec, times, values))


def test_metrics_with_statistics_of_their_own():
    spec = spec_of(3, statistics=PLAIN)
    spec = type(spec)(spec.metrics, spec.windows, PLAIN, {"m1": ("sum", "max")})
    times, values = irregular(4, 300, 3)
    assert_same(batch.transform(spec, np.array([0, 300]), times, values), streamed(spec, times, values))


def test_a_window_with_many_samples_goes_on_as_a_stream(monkeypatch):
    monkeypatch.setattr(batch, "_FEW", 50)
    monkeypatch.setattr(batch, "_AGAIN", 1)
    spec = spec_of(windows=(60, 2000), statistics=PLAIN)
    times, values = irregular(5, 900)
    replay = Replay(spec)
    found = [
        replay.feed(np.array([0, 100]), times[i : i + 100], values[i : i + 100], continues=i > 0)
        for i in range(0, 900, 100)
    ]
    assert isinstance(replay._engine, batch._Stream)
    assert_same(np.concatenate(found), streamed(spec, times, values))


@pytest.mark.parametrize(("continues", "fits"), [(True, False), (False, True)])
def test_times_go_on_from_one_piece_to_the_next(continues, fits):
    spec, values = spec_of(statistics=PLAIN), np.zeros((2, 2))
    replay = Replay(spec)
    replay.feed(np.array([0, 2]), START + np.array([5, 9]), values)
    second = np.array([0, 2]), START + np.array([9, 10]), values
    if fits:
        assert replay.feed(*second, continues=continues).shape == (2, len(spec.names))
        return
    with pytest.raises(NetopsError, match=r"row 2: .*not after the one before it"):
        replay.feed(*second, continues=continues)


def test_a_last_device_without_samples():
    spec = spec_of(statistics=PLAIN)
    times, values = irregular(6, 50)
    replay = Replay(spec)
    found = replay.feed(np.array([0, 0, 50, 50]), times, values)
    assert_same(found, streamed(spec, times, values))
    assert_same(replay.feed(np.array([0, 50]), times, values, continues=True), found)  # of the empty one


@pytest.mark.parametrize("statistics", [PLAIN, ALL], ids=["plain", "all"])
def test_pieces_without_samples(statistics):
    spec = spec_of(statistics=statistics)
    times, values = irregular(7, 60)
    replay, none = Replay(spec), (times[:0], values[:0])
    found = [replay.feed(np.array([0, 30]), times[:30], values[:30])]
    assert replay.feed(np.array([0]), *none, continues=True).shape == (0, len(spec.names))
    assert replay.feed(np.array([0, 0]), *none, continues=True).shape == (0, len(spec.names))
    found.append(replay.feed(np.array([0, 30]), times[30:], values[30:], continues=True))
    assert_same(np.concatenate(found), streamed(spec, times, values))
    replay.feed(np.array([0, 0]), *none)  # the next device
    assert_same(replay.feed(np.array([0, 60]), times, values, continues=True), streamed(spec, times, values))


def test_one_machine_code_serves_all_arrays():
    """A second one would be compiled, for seconds, by the first device in two pieces."""
    spec = spec_of(statistics=PLAIN)
    times, values = irregular(8, 60)
    replay = Replay(spec)
    for array in (times, values):
        array.flags.writeable = False
    replay.feed(np.array([0, 30]), times[:30], values[:30])
    replay.feed(np.array([0, 30]), times[30:], values[30:], continues=True)
    replay.feed(np.array([0, 60]), times.copy(), values.copy())
    assert (len(blocks.fill.signatures), len(blocks.longest_suffix.signatures)) == (1, 1)


def test_statistics_are_called_for_windows_with_a_value_alone():
    def strict(n, mean, std, low, high):
        return 1.0 / n if n >= 1.0 else np.inf

    write = selection._one_more_column(0, inlined(strict), -1.0, selection._no_column)
    planes, out = np.zeros((5, 3, LANES)), np.zeros(3)
    planes[0, :, 1] = 0.0, 2.0, 1.0
    kernel(cached=False)(lambda planes, out: write(0, planes, 1, out))(planes, out)
    assert out.tolist() == [-1.0, 0.5, 1.0]
