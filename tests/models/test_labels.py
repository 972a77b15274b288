"""Labels, against an oracle that reads the words row by row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.alerting.sequences import Sequences
from netops.durations import MINUTE, SECOND
from netops.errors import NetopsError, UsageError
from netops.models.labels import label_name, label_rows, require_labels


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


def test_devices_do_not_see_each_other():
    times, failed = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 0, 1, 0, 0], dtype=bool)
    assert label_rows(np.array([0, 3, 6]), times, failed, 1).tolist() == [0, 0, -1, -1, 0, -1]


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
def test_data_that_teach_nothing_are_refused(failed, horizon, error, words):
    sequences = Sequences(("a",), np.array([0, 6]), np.arange(6) * 10 * SECOND)
    labels = label_rows(sequences.offsets, sequences.timestamps, np.array(failed, dtype=bool), horizon)
    with pytest.raises(error, match=words):
        require_labels(sequences, labels, horizon)
