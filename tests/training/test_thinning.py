"""Thinning of training rows, and what is set aside for early stopping."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.alerting.sequences import Incidents, Sequences
from netops.training.thinning import set_aside, thin


@pytest.mark.parametrize("positives", [10, 900, 3_000])
@pytest.mark.parametrize("room", [1_000, 50_000])
def test_weights_keep_the_base_rate(positives: int, room: int) -> None:
    rows = np.arange(5, 20_005)
    positive = np.zeros(len(rows), bool)
    positive[np.random.default_rng(0).choice(len(rows), positives, replace=False)] = True
    selected, weights = thin(rows, positive, room, seed=1)
    assert len(selected) <= room
    assert (np.diff(selected) > 0).all()
    assert weights.sum() == pytest.approx(len(rows))
    labels = positive[selected - 5]
    assert weights[labels].sum() == pytest.approx(positives)
    assert labels.sum() == min(positives, len(rows) if room > len(rows) else room // 2)


def test_same_seed_same_rows() -> None:
    rows, positive = np.arange(1_000), np.arange(1_000) % 50 == 0
    same = [thin(rows, positive, 100, seed)[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])


def test_holds_out_whole_periods() -> None:
    sequences = Sequences(("a", "b"), np.array([0, 100, 200]), np.tile(np.arange(100), 2))
    starts = np.tile(np.arange(20, 100, 20), 2)
    incidents = Incidents.of(2, np.repeat([0, 1], 4), starts, starts + 2)
    rows = np.arange(200)
    positive = np.isin(rows % 20, np.arange(10, 20)) & (rows % 100 < 80)
    aside = set_aside(sequences, incidents, rows, positive, 0.25, seed=0)
    assert (aside & positive).any()
    assert (~aside & positive).any()
    for device in (0, 1):
        for before in range(0, 100, 20):
            period = aside[device * 100 + before : device * 100 + before + 20]
            assert period.all() or not period.any()


def test_nothing_is_set_aside_of_too_little() -> None:
    sequences = Sequences(("a",), np.array([0, 10]), np.arange(10))
    incidents = Incidents.of(1, [0], [8], [9])
    aside = set_aside(sequences, incidents, np.arange(8), np.arange(8) > 5, 0.5, seed=0)
    assert not aside.any()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=8, max_size=200),
    st.integers(8, 60),
)
def test_hard_negatives_are_selected_up_to_the_limit(kinds, room):
    positive, hard = np.array(kinds).T
    rows = np.arange(len(kinds)) * 3
    selected, weights = thin(rows, positive, room, 0, hard)
    assert len(selected) <= room
    assert (np.diff(selected) > 0).all()
    sure = rows[hard & ~positive]
    if len(sure) <= room // 4:
        assert np.isin(sure, selected).all()
        assert (weights[np.isin(selected, sure)] == 1).all()
    for group in (rows[positive], sure, rows[~positive & ~hard]):
        mine = np.isin(selected, group)
        if mine.any():
            assert weights[mine].sum() == pytest.approx(len(group))
