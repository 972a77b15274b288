"""Champion and challenger are compared on what neither was fitted on."""

import numpy as np

from netops.evaluation.seen import restricted, unseen_by
from netops.models.card import ModelCard
from tests.evaluation.worlds import STEP, part


def card(split, **data) -> ModelCard:
    return ModelCard("core", "xgboost", "v1", (), {}, (), 1, split=split, data=data)


def test_training_devices_of_the_champion_are_left_out_whenever_they_were_seen():
    judged = part(devices=4)
    split = {"kind": "device", "boundaries": [], "devices": [["d1", "d3"], ["d0"], ["d2"]]}
    unseen = unseen_by(card(split, to=5 * STEP), judged)
    assert set(judged.sequences.device_of_row[unseen]) == {0, 2}
    fresh = restricted(judged, unseen)
    assert len(fresh.labels) == len(fresh.sequences) == unseen.sum()
    assert set(fresh.incidents.device[fresh.observed]) <= {0, 2}


def test_a_split_by_time_was_fitted_up_to_its_validation():
    judged = part(devices=3)
    split = {"kind": "time", "boundaries": [400 * STEP, 700 * STEP], "devices": []}
    unseen = unseen_by(card(split, device_names=["d0", "d1"]), judged)
    new_device = judged.sequences.device_of_row == 2
    assert (unseen == (new_device | (judged.sequences.timestamps >= 400 * STEP))).all()


def test_nothing_left_out_is_the_split_itself():
    judged = part(devices=2)
    assert restricted(judged, np.ones(len(judged.labels), bool)) is judged


def test_a_card_that_names_nothing_may_have_seen_any_device_until_its_end():
    judged = part(devices=2)
    unseen = unseen_by(card({}, to=500 * STEP), judged)
    assert (unseen == (judged.sequences.timestamps > 500 * STEP)).all()
    assert not unseen_by(card({}), judged).any()
