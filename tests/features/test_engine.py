import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.config.durations import SECOND
from netops.errors import NetopsError, UsageError
from netops.features.batch import transform
from netops.features.engine import DUPLICATE, LATE, REJECTED, SCORED, FeatureEngine
from netops.features.spec import FeatureSpec

from .samples import START, devices, irregular, spec_of

SPEC = spec_of()


def whole(times, values, spec=SPEC):
    return transform(spec, np.array([0, len(times)]), times, values)


@settings(max_examples=50, deadline=None)
@given(devices(), devices(), st.lists(st.integers(1, 30), max_size=8), st.randoms(use_true_random=False))
def test_streams_equal_batches_bit_for_bit_under_any_chunking(first, second, lengths, random):
    codes = [0] * len(first[0]) + [3] * len(second[0])
    random.shuffle(codes)
    codes = np.array(codes)
    times, values = np.empty(len(codes), np.int64), np.empty((len(codes), 2))
    for code, (t, v) in ((0, first), (3, second)):
        times[codes == code], values[codes == code] = t, v
    engine = FeatureEngine(SPEC)
    pieces = np.split(np.arange(len(codes)), np.cumsum(lengths).clip(max=len(codes)))
    found = np.concatenate([engine.update(codes[p], times[p], values[p])[0] for p in pieces])
    for code, device in ((0, first), (3, second)):
        np.testing.assert_array_equal(found[codes == code], whole(*device))


@settings(max_examples=60, deadline=None)
@given(devices(), st.integers(1, 500), st.data())
def test_late_samples_change_nothing_once_they_are_there(device, lateness, data):
    times, values = device
    delays = data.draw(st.lists(st.integers(0, lateness), min_size=len(times), max_size=len(times)))
    order = np.argsort(times + np.array(delays) * SECOND, kind="stable")
    doubles = data.draw(st.lists(st.integers(0, len(times) - 1), max_size=5))
    engine, seen = FeatureEngine(SPEC, lateness * SECOND), []
    for i in order:
        found, status = engine.update_one(0, int(times[i]), values[i])
        assert status == SCORED
        seen = sorted([*seen, i])
        rank = seen.index(i)
        np.testing.assert_array_equal(found, whole(times[seen], values[seen])[rank])
        for double in doubles:
            if double in seen and times[double] >= times[seen[-1]] - lateness * SECOND:
                assert engine.update_one(0, int(times[double]), values[double])[1] == DUPLICATE
    inorder = FeatureEngine(SPEC, lateness * SECOND)
    inorder.update(np.zeros(len(times), np.int64), times, values)
    assert engine.save(0) == inorder.save(0)
    after = int(times[-1]) + 5 * SECOND
    np.testing.assert_array_equal(
        engine.update_one(0, after, values[0])[0], inorder.update_one(0, after, values[0])[0]
    )


def test_late_samples_over_many_pages():
    times, values = irregular(2, 700, step=1)
    lateness = 100 * SECOND
    rng = np.random.default_rng(0)
    order = np.argsort(times + rng.integers(0, lateness, len(times)), kind="stable")
    engine, codes = FeatureEngine(SPEC, lateness), np.zeros(len(times), np.int64)
    _, status = engine.update(codes, times[order], values[order])
    assert (status == SCORED).all()
    after = times[-1] + np.arange(1, 300) * SECOND
    found, _ = engine.update(codes[: len(after)], after, values[: len(after)])
    both = whole(np.concatenate((times, after)), np.concatenate((values, values[: len(after)])))
    np.testing.assert_array_equal(found, both[len(times) :])


@pytest.mark.parametrize(
    ("lateness", "time", "status"),
    [
        (0, 100, DUPLICATE), (0, 99, LATE), (0, 101, SCORED), (10, 90, DUPLICATE), (10, 89, LATE), (10, 95, SCORED),
        (10, 91, SCORED), (200, 1, SCORED), (0, 90, DUPLICATE), (5, 95, SCORED), (5, 94, LATE),
        (0, -1, REJECTED), (0, 1 << 33, REJECTED), (0, 1 << 34, REJECTED), (10, -(1 << 33), REJECTED),
    ],
)  # fmt: skip
def test_statuses(lateness, time, status):
    engine = FeatureEngine(SPEC, lateness * SECOND)
    for t in (90, 100):
        engine.update_one(0, t * SECOND, np.ones(2))
    before = engine.save(0)
    found, got = engine.update_one(0, time * SECOND, np.zeros(2))
    assert got == status
    assert np.isnan(found).all() == (status != SCORED)
    assert (engine.save(0) == before) == (status != SCORED)


def test_a_sample_sent_again_is_known_as_long_as_its_window_lasts_and_no_longer():
    engine, other = FeatureEngine(SPEC), FeatureEngine(SPEC)
    times = START + np.arange(100) * 5 * SECOND
    engine.update(np.zeros(100, np.int64), times, np.ones((100, 2)))
    other.restore(0, engine.save(0))
    for some in (engine, other):
        _, status = some.update(np.zeros(100, np.int64), times, np.ones((100, 2)))
        np.testing.assert_array_equal(status, np.where(times > times[-1] - 371 * SECOND, DUPLICATE, LATE))


def test_infinite_and_absurd_values_are_missing():
    found, _ = FeatureEngine(SPEC).update_one(0, START, np.array([np.inf, -1e200]))
    assert np.isnan(found[[0, 25]]).all()
    assert found[SPEC.names.index("m0_missing_1m")] == found[SPEC.names.index("m1_missing_371s")] == 1.0


@settings(max_examples=40, deadline=None)
@given(devices(), st.integers(0, 60), st.sampled_from([0, 30, 600]))
def test_saving_and_restoring_in_the_middle_changes_nothing(device, middle, lateness):
    times, values = device
    engine = FeatureEngine(SPEC, lateness * SECOND)
    codes = np.zeros(len(times), np.int64)
    engine.update(codes[:middle], times[:middle], values[:middle])
    state = engine.save(0)
    other = FeatureEngine(SPEC, lateness * SECOND)
    other.restore(7, state)
    assert other.save(7) == state
    found, _ = other.update(codes[middle:] + 7, times[middle:], values[middle:])
    np.testing.assert_array_equal(found, whole(times, values)[middle:])


def test_all_devices_survive_in_one_buffer():
    engine, other = FeatureEngine(SPEC), FeatureEngine(SPEC)
    for code in (0, 2, 9):
        times, values = irregular(code, 100)
        engine.update(np.full(100, code), times, values)
    other.update_one(5, START, np.ones(2))
    other.restore_all(engine.save_all())
    assert other.devices().tolist() == [0, 2, 9]
    assert other.save_all() == engine.save_all()


def test_a_state_serves_shorter_windows_but_no_longer_ones():
    times, values = irregular(4, 200)
    engine = FeatureEngine(SPEC)
    engine.update(np.zeros(100, np.int64), times[:100], values[:100])
    short = spec_of(windows=(30, 200), statistics=("mean",))
    other = FeatureEngine(short)
    other.restore(0, engine.save(0))
    found, _ = other.update(np.zeros(100, np.int64), times[100:], values[100:])
    np.testing.assert_array_equal(found, whole(times, values, short)[100:])
    with pytest.raises(NetopsError, match="covers less"):
        FeatureEngine(spec_of(windows=(600,))).restore(0, engine.save(0))


def damaged(state, index):
    return state[:index] + bytes([state[index] ^ 1]) + state[index + 1 :]


@pytest.mark.parametrize(("change", "message"), [
    (lambda s: s[:20], "truncated"),
    (lambda s: s[:-8], "damaged"),
    (lambda s: damaged(s, 60), "damaged"),
    (lambda s: damaged(s, 0), "not the state"),
    (lambda s: damaged(s, 5), "version 257"),
    (lambda s: damaged(s, 10), "the metrics differ"),
    (lambda s: damaged(s, 24), "damaged"),
    (lambda s: b"", "truncated"),
])  # fmt: skip
def test_a_damaged_state_is_refused_and_harms_nothing(change, message):
    engine = FeatureEngine(SPEC)
    engine.update_one(0, START, np.ones(2))
    state = engine.save(0)
    with pytest.raises(NetopsError, match=message):
        engine.restore(0, change(state))
    assert engine.save(0) == state


def test_a_damaged_buffer_of_all_devices_is_refused_and_harms_nothing():
    engine = FeatureEngine(SPEC)
    engine.update_one(0, START, np.ones(2))
    state = engine.save_all()
    for cut in range(len(state)):
        with pytest.raises(NetopsError):
            engine.restore_all(state[:cut])
    assert engine.save_all() == state


def test_a_forgotten_device_starts_again_and_its_memory_is_reused():
    times, values = irregular(0, 300)
    engine = FeatureEngine(SPEC)
    for device in range(5):
        engine.update(np.full(300, device), times, values)
    engine.forget(3)
    assert not engine.has(3)
    assert engine.newest(3) is None
    size = engine.nbytes
    found, _ = engine.update(np.full(300, 3), times, values)
    assert engine.nbytes == size
    np.testing.assert_array_equal(found, whole(times, values))


def test_memory_stays_with_the_window_however_long_the_stream():
    engine, sizes = FeatureEngine(SPEC), []
    for hour in range(6):
        times = START + (np.arange(720) + 720 * hour) * 5 * SECOND
        engine.update(np.zeros(720, np.int64), times, np.ones((720, 2)))
        sizes.append(engine.nbytes)
    assert len(set(sizes[1:])) == 1


@pytest.mark.parametrize(("codes", "values"), [([0, 1], (2, 3)), ([0], (2, 2)), ([0, -1], (2, 2))])
def test_samples_that_do_not_fit_are_refused(codes, values):
    with pytest.raises(NetopsError):
        FeatureEngine(SPEC).update(np.array(codes), np.array([1, 2]), np.zeros(values))


@pytest.mark.parametrize("lateness", [-1, 101 * 86400 * SECOND])
def test_an_impossible_lateness_is_refused(lateness):
    with pytest.raises(UsageError, match="allowed lateness"):
        FeatureEngine(SPEC, lateness)


def test_no_samples():
    found, status = FeatureEngine(SPEC).update(np.empty(0, int), np.empty(0, int), np.empty((0, 2)))
    assert found.shape == (0, len(SPEC.names))
    assert len(status) == 0


def test_memory_is_what_the_description_says():
    devices, hour = 40, START + np.arange(800) * 5 * SECOND
    engine = FeatureEngine(FeatureSpec(("a", "b", "c", "d"), (60 * SECOND, 3600 * SECOND)))
    for time in hour:
        engine.update(np.arange(devices), np.full(devices, time), np.ones((devices, 4)))
    described = 13 * 2 * 6 * 4 * 8 + 720 * 8 * (1 + 4 + 2 * 6 * 4 / 32)
    assert described * devices < engine.nbytes < 1.4 * described * devices
    assert 10_000 * engine.nbytes / devices < 500e6
