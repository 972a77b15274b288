"""Champion and challenger are compared on what neither was fitted on."""

import numpy as np

from netops.evaluation.seen import restricted, unseen_by
from netops.models.card import ModelCard
from tests.evaluation.worlds import STEP, make_split


def card(split, **data) -> ModelCard:
    return ModelCard("core", "xgboost", "v1", (), {}, (), 1, split=split, data=data)


def test_training_devices_of_the_champion_are_left_out_whenever_they_were_seen():
    evaluated = make_split(devices=4)
    split = {"kind": "device", "boundaries": [], "devices": [["d1", "d3"], ["d0"], ["d2"]]}
    unseen = unseen_by(card(split, to=5 * STEP), evaluated)
    assert set(evaluated.sequences.device_of_row[unseen]) == {0, 2}
    fresh = restricted(evaluated, unseen)
    assert len(fresh.labels) == len(fresh.sequences) == unseen.sum()
    assert set(fresh.incidents.device[fresh.observed]) <= {0, 2}


def test_a_split_by_time_was_fitted_up_to_its_validation():
    evaluated = make_split(devices=3)
    split = {"kind": "time", "boundaries": [400 * STEP, 700 * STEP], "devices": []}
    unseen = unseen_by(card(split, device_names=["d0", "d1"]), evaluated)
    new_device = evaluated.sequences.device_of_row == 2
    assert (unseen == (new_device | (evaluated.sequences.timestamps >= 400 * STEP))).all()


def test_nothing_left_out_is_the_split_itself():
    evaluated = make_split(devices=2)
    assert restricted(evaluated, np.ones(len(evaluated.labels), bool)) is evaluated


def test_a_card_that_names_nothing_may_have_seen_any_device_until_its_end():
    evaluated = make_split(devices=2)
    unseen = unseen_by(card({}, to=500 * STEP), evaluated)
    assert (unseen == (evaluated.sequences.timestamps > 500 * STEP)).all()
    assert not unseen_by(card({}), evaluated).any()
