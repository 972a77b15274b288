"""The kernel on few samples: all of its paths, in seconds even where it is not compiled (``make mutation``)."""

import numpy as np
import pytest

from netops.config.durations import SECOND
from netops.features.batch import transform
from netops.features.engine import DUPLICATE, LATE, REJECTED, SCORED, FeatureEngine
from netops.features.kernel import CHUNK, LARGEST

from .oracle import assert_close, features
from .samples import ALL, START, irregular, spec_of

#: Windows of a few samples, of about one page, and of several pages of samples a second apart.
WINDOWS = (3, CHUNK, 3 * CHUNK + 5)
SPEC = spec_of(windows=WINDOWS)
LATENESS = 40 * SECOND


def device(seed, count, missing=0.2):
    """Samples about a second apart, with gaps of a window, missing values and runs of the same value."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([1, 1, 1, 2, WINDOWS[0], WINDOWS[1] + 1], count, p=[0.3, 0.3, 0.2, 0.1, 0.08, 0.02])
    values = np.round(rng.normal(size=(count, 2)), rng.integers(0, 2))
    values[rng.random(values.shape) < missing] = np.nan
    return START + np.cumsum(steps) * SECOND, values


def whole(times, values, spec=SPEC):
    return transform(spec, np.array([0, len(times)]), times, values)


def late_order(times, seed):
    """An order of arrival in which no sample is later than allowed."""
    delays = np.random.default_rng(seed).integers(0, LATENESS, len(times))
    return np.argsort(times + delays, kind="stable")


@pytest.mark.parametrize("seed", range(2))
def test_windows_of_any_length_agree_with_the_definition(seed):
    times, values = device(seed, 5 * CHUNK)
    assert_close(SPEC, times, values, whole(times, values))


@pytest.mark.parametrize("statistic", ALL)
def test_a_statistic_alone_agrees_with_the_definition(statistic):
    spec = spec_of(windows=(7, CHUNK + 8), statistics=(statistic,))
    times, values = irregular(1, 2 * CHUNK, step=1)
    assert_close(spec, times, values, whole(times, values, spec))


def test_answers_to_late_samples_agree_with_the_definition():
    times, values = device(2, 3 * CHUNK)
    engine, seen = FeatureEngine(SPEC, LATENESS), []
    for i in late_order(times, 2):
        found, status = engine.update_one(0, int(times[i]), values[i])
        assert status == SCORED
        seen = sorted([*seen, i])
        if seen[-1] != i:
            some = np.array([j for j in seen if times[i] - max(WINDOWS) * SECOND <= times[j] <= times[i]])
            wanted, scale = features(SPEC, times[some], values[some], rows=[-1])
            np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted[0]))
            assert (np.nan_to_num(np.abs(found - wanted[0])) <= 1e-9 * np.nan_to_num(scale[0])).all()


def test_late_samples_leave_what_samples_in_order_leave():
    times, values = device(3, 6 * CHUNK)
    count = 4 * CHUNK
    order = np.concatenate((late_order(times[:count], 3), np.arange(count, len(times))))
    engine, codes = FeatureEngine(SPEC, LATENESS), np.zeros(len(times), np.int64)
    found, status = engine.update(codes, times[order], values[order])
    assert (status == SCORED).all()
    np.testing.assert_array_equal(found[count:], whole(times, values)[count:])
    inorder = FeatureEngine(SPEC, LATENESS)
    inorder.update(codes, times, values)
    assert engine.save(0) == inorder.save(0)


def test_devices_do_not_touch_each_other():
    one, other = device(4, 3 * CHUNK), device(5, 3 * CHUNK)
    engine, found = FeatureEngine(SPEC, LATENESS), {0: [], 2: []}
    for row in range(3 * CHUNK):
        for code, (times, values) in ((0, one), (2, other)):
            found[code].append(engine.update_one(code, int(times[row]), values[row])[0])
    np.testing.assert_array_equal(found[0], whole(*one))
    np.testing.assert_array_equal(found[2], whole(*other))
    assert engine.devices().tolist() == [0, 2]


@pytest.mark.parametrize("lateness", [0, LATENESS])
def test_a_device_restored_continues_as_if_it_had_never_stopped(lateness):
    times, values = device(6, 4 * CHUNK + 20)
    expected, codes = whole(times, values), np.zeros(len(times), np.int64)
    for middle in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK, 4 * CHUNK + 7):
        engine, other = FeatureEngine(SPEC, lateness), FeatureEngine(SPEC, lateness)
        engine.update(codes[:middle], times[:middle], values[:middle])
        other.restore(3, engine.save(0))
        assert other.save(3) == engine.save(0)
        rows = slice(middle, middle + 20)
        found, _ = other.update(codes[rows] + 3, times[rows], values[rows])
        np.testing.assert_array_equal(found, expected[rows])


def test_samples_are_counted_and_copied_back_to_a_time():
    times, values = START + np.arange(1, 2 * CHUNK + 9) * SECOND, np.arange(4.0 * CHUNK + 16).reshape(-1, 2)
    engine = FeatureEngine(SPEC)
    assert engine.samples(0) == 0
    engine.update(np.zeros(len(times), np.int64), times, values)
    assert engine.samples(0) == len(times)
    for since in (0, CHUNK - 1, CHUNK, 2 * CHUNK, 2 * CHUNK + 7, 2 * CHUNK + 8):
        part = engine.save(0, int(START + since * SECOND))
        rest = FeatureEngine(SPEC)
        rest.update(np.zeros(len(times) - since, np.int64), times[since:], values[since:])
        assert part == (rest.save(0) if since < len(times) else FeatureEngine(SPEC).save(0))


def test_a_page_is_used_again_once_no_window_and_no_late_sample_needs_it():
    engine, sizes = FeatureEngine(SPEC, LATENESS), []
    for page in range(40):
        times = START + (np.arange(CHUNK) + page * CHUNK) * SECOND
        found, _ = engine.update(np.zeros(CHUNK, np.int64), times, np.ones((CHUNK, 2)))
        sizes.append(engine.nbytes)
        assert engine.samples(0) <= max(WINDOWS) + LATENESS // SECOND + 2 * CHUNK
    assert found[-1, SPEC.names.index(f"m0_count_{WINDOWS[-1]}s")] == WINDOWS[-1]
    assert len(set(sizes[1:])) == 1, "16 pages are enough for one device"


def test_the_pages_of_a_forgotten_device_are_all_used_again():
    times, values = device(7, 5 * CHUNK + 1)
    engine, codes = FeatureEngine(SPEC), np.zeros(len(times), np.int64)
    sizes = set()
    for _ in range(8):
        found, _ = engine.update(codes, times, values)
        sizes.add(engine.nbytes)
        engine.forget(0)
        assert not engine.has(0)
        assert engine.save(0) == FeatureEngine(SPEC).save(0)
    np.testing.assert_array_equal(found, whole(times, values))
    assert len(sizes) == 1


@pytest.mark.parametrize("lateness", [0, 10])
def test_what_becomes_of_a_sample_by_its_time(lateness):
    newest, history = 1000, max(WINDOWS) + lateness
    first = newest - history
    for time, status in {
        newest + 1: SCORED,
        newest: DUPLICATE,
        newest - lateness: DUPLICATE if lateness == 0 else SCORED,
        newest - lateness - 1: LATE,
        first + 1: DUPLICATE,
        first: LATE,
        -1: REJECTED,
    }.items():
        engine = FeatureEngine(SPEC, lateness * SECOND)
        for known in (first, first + 1, newest):
            engine.update_one(0, known * SECOND, np.ones(2))
        before = engine.save(0)
        found, got = engine.update_one(0, time * SECOND, np.zeros(2))
        assert (time, got) == (time, status)
        assert np.isnan(found).all() == (status != SCORED)
        assert (engine.save(0) == before) == (status != SCORED)


@pytest.mark.parametrize(
    ("time", "status"), [(-1, REJECTED), (0, SCORED), ((1 << 62) - 1, SCORED), (1 << 62, REJECTED)]
)
def test_times_are_of_the_years_1970_to_2115(time, status):
    found, got = FeatureEngine(SPEC).update_one(0, time, np.ones(2))
    assert got == status
    assert np.isnan(found).all() == (status == REJECTED)


def test_a_sample_sent_again_is_known_on_whichever_page_it_is():
    times, values = START + np.arange(5 * CHUNK) * SECOND, np.ones((5 * CHUNK, 2))
    engine, codes = FeatureEngine(SPEC), np.zeros(5 * CHUNK, np.int64)
    engine.update(codes, times, values)
    _, again = engine.update(codes, times, values)
    np.testing.assert_array_equal(again, np.where(times > times[-1] - max(WINDOWS) * SECOND, DUPLICATE, LATE))
    _, between = engine.update(codes, times - 1, values)
    assert (between == LATE).all()


def test_a_forgotten_device_may_begin_at_the_first_time_there_is():
    engine, values = FeatureEngine(SPEC), np.array([1.0, 2.0])
    engine.update_one(0, START, values)
    engine.forget(0)
    found, status = engine.update_one(0, 0, values)
    assert status == SCORED
    np.testing.assert_array_equal(found, FeatureEngine(SPEC).update_one(0, 0, values)[0])


def test_rows_that_are_not_scored_are_empty_and_the_others_are_not():
    times = np.array([START, START, START + SECOND])
    found, status = FeatureEngine(SPEC).update(np.zeros(3, np.int64), times, np.ones((3, 2)))
    assert status.tolist() == [SCORED, DUPLICATE, SCORED]
    assert np.isnan(found).all(axis=1).tolist() == [False, True, False]


def test_a_value_is_missing_only_beyond_the_largest_one():
    values = np.array([[LARGEST, -LARGEST], [np.nextafter(LARGEST, np.inf), np.inf]])
    found = whole(START + np.arange(2) * SECOND, values, spec_of(windows=(60,), statistics=("count",)))
    assert found[:, [1, 4]].tolist() == [[1, 1], [1, 1]]
    assert np.isnan(found[1, [0, 3]]).all()
