"""Labels, against an oracle that reads the words row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.alerting.sequences import Incidents, Sequences
from netops.config.durations import MINUTE, SECOND
from netops.errors import FewLabelsError, NetopsError, UsageError
from netops.telemetry.incidents import incidents_of
from netops.training.labels import label_name, label_rows, label_starts, require_labels


def oracle(times, failed, horizon):
    labels = []
    for row, time in enumerate(times):
        starts = [t for t, bad, before in zip(times, failed, [False, *failed], strict=False) if bad and not before]
        if failed[row]:
            labels.append(-1)
        elif any(time < start <= time + horizon for start in starts):
            labels.append(1)
        else:
            until = time
            for following in times[row + 1 :]:
                if following - until > horizon:
                    break
                until = following
            labels.append(0 if until >= time + horizon else -1)
    return labels


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=25), st.integers(1, 12))
@settings(max_examples=300, deadline=None)
def test_labels_are_what_the_words_say(rows, horizon):
    times = np.cumsum([gap for gap, _ in rows]).astype(np.int64)
    failed = np.array([bad for _, bad in rows], dtype=bool)
    found = label_rows(np.array([0, len(rows)]), times, failed, horizon)
    assert found.tolist() == oracle(times.tolist(), failed.tolist(), horizon)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=25),
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 9)), max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_incidents_that_no_sample_shows_are_labelled_too(rows, horizon, log):
    times = np.cumsum([gap for gap, _ in rows]).astype(np.int64)
    failed = np.array([bad for _, bad in rows], dtype=bool)
    starts, ends = (times[:0], times[:0]) if not rows else incidents_of(times, failed)
    hidden = [(s, s + n) for s, n in log if not ((times >= s) & (times < s + n)).any()]
    begins, over = np.append(starts, [s for s, _ in hidden]), np.append(ends, [e for _, e in hidden])
    sequences = Sequences(("a",), np.array([0, len(rows)]), times)
    known = Incidents.of(1, np.zeros(len(begins)), begins, over)
    plain = label_rows(sequences.offsets, times, failed, horizon)
    found = label_starts(sequences, plain, known, horizon)
    for row, time in enumerate(times):
        near = any(time < s <= time + horizon for s, _ in hidden)
        assert found[row] == (1 if near and not failed[row] else plain[row])


def test_devices_do_not_see_each_other():
    times, failed = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 0, 1, 0, 0], dtype=bool)
    assert label_rows(np.array([0, 3, 6]), times, failed, 1).tolist() == [0, 0, -1, -1, 0, -1]


def test_a_hidden_incident_is_one_of_its_own_device():
    sequences = Sequences(("a", "b", "c"), np.array([0, 3, 7, 9]), np.array([0, 1, 2, 0, 1, 2, 3, 0, 1]))
    plain = label_rows(sequences.offsets, sequences.timestamps, np.zeros(9, dtype=bool), 1)
    hidden = Incidents.of(3, np.array([1, 2]), np.array([3, 1]), np.array([4, 2]))
    assert label_starts(sequences, plain, hidden, 1).tolist() == [0, 0, -1, 0, 0, 1, -1, 1, -1]


def test_the_label_is_named_after_the_horizon():
    assert label_name(10 * MINUTE) == "fails_within_10m"


@pytest.mark.parametrize(
    ("failed", "horizon", "error", "words"),
    [
        ([0] * 6, 10 * MINUTE, UsageError, "horizon 10m is longer than the history.*at most 10s"),
        ([0] * 6, 20 * SECOND, NetopsError, "one class only.*--incidents"),
        ([0, 0, 1, 1, 1, 1], 20 * SECOND, NetopsError, "one class only.*shorter --horizon"),
    ],
)
def test_data_without_training_signal_are_refused(failed, horizon, error, words):
    sequences = Sequences(("a",), np.array([0, 6]), np.arange(6) * 10 * SECOND)
    labels = label_rows(sequences.offsets, sequences.timestamps, np.array(failed, dtype=bool), horizon)
    with pytest.raises(error, match=words):
        require_labels(sequences, labels, horizon)


@pytest.mark.parametrize(("failed", "possible"), [([0] * 6, True), ([1] * 6, False)])
def test_without_labels_there_must_be_healthy_samples(failed, possible):
    sequences = Sequences(("a",), np.array([0, 6]), np.arange(6) * 10 * SECOND)
    labels = label_rows(sequences.offsets, sequences.timestamps, np.array(failed, dtype=bool), 20 * SECOND)
    with pytest.raises(NetopsError, match="one class only") as error:
        require_labels(sequences, labels, 20 * SECOND)
    assert isinstance(error.value, FewLabelsError) == possible


@pytest.mark.parametrize(
    ("offsets", "seconds", "words"),
    [
        ([0, 0], [], "contains no samples"),
        ([0, 1], [1_000_000], "longer than the history: the longest of a device is 1s"),
        ([0, 0, 3, 3, 5], [1_000_000, 1_000_010, 1_000_020, 5, 10], "longer than the history.* a device is 20s"),
    ],
)
def test_the_longest_history_of_a_device_counts(offsets, seconds, words):
    names = tuple("abcd"[: len(offsets) - 1])
    sequences = Sequences(names, np.array(offsets), np.array(seconds, dtype=np.int64) * SECOND)
    labels = np.zeros(len(seconds), dtype=np.int8)
    with pytest.raises((NetopsError, UsageError), match=words):
        require_labels(sequences, labels, 30 * SECOND)
