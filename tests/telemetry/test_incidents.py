"""Incidents of one device: runs of samples in error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netops.telemetry.incidents import incidents_of, mark, merge

TIMES = np.array([10, 20, 30, 40, 50], np.int64)


@pytest.mark.parametrize(
    ("flags", "starts", "ends"),
    [
        ([0, 0, 0, 0, 0], [], []),
        ([0, 1, 1, 0, 0], [20], [40]),
        ([1, 0, 1, 0, 1], [10, 30, 50], [20, 40, 60]),  # one that lasts to the end: a median step later
        ([1, 1, 1, 1, 1], [10], [60]),
    ],
)
def test_incidents_are_maximal_runs(flags: list[int], starts: list[int], ends: list[int]) -> None:
    found = incidents_of(TIMES, np.array(flags, bool))
    assert found[0].tolist() == starts
    assert found[1].tolist() == ends
    assert mark(TIMES, *found).tolist() == [bool(flag) for flag in flags]


def test_no_samples_have_no_incidents() -> None:
    starts, ends = incidents_of([], [])
    assert len(starts) == len(ends) == 0


def test_a_mark_counts_the_start_and_not_the_end() -> None:
    assert mark(TIMES, [20, 35], [30, 36]).tolist() == [False, True, False, False, False]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=8))
def test_merged_incidents_mark_the_same_samples(spans: list[tuple[int, int]]) -> None:
    starts, ends = np.array([s for s, _ in spans], np.int64), np.array([s + n for s, n in spans], np.int64)
    times = np.arange(100, dtype=np.int64)
    merged = merge(starts, ends)
    assert (mark(times, *merged) == mark(times, starts, ends)).all()
    assert (merged[0][1:] > merged[1][:-1]).all()
