"""Which times and devices a model was trained on."""

import numpy as np
import pytest

from netops.alerting.sequences import Incidents, Sequences
from netops.backtest.history import History
from netops.backtest.trained import counted_rows, trained_rows
from netops.models.card import ModelCard
from netops.training.labels import label_rows

HORIZON = 3
TIMES = np.arange(10, 30)


def card(split: dict, **data: object) -> ModelCard:
    return ModelCard("n", "xgboost", "v", (), {}, (), HORIZON, split=split, data=data)


def sequences() -> Sequences:
    offsets = np.array([0, len(TIMES), 2 * len(TIMES)])
    return Sequences(("a", "b"), offsets, np.tile(TIMES, 2))


def history() -> History:
    rows = sequences()
    labels = label_rows(rows.offsets, rows.timestamps, np.zeros(len(rows), bool), HORIZON)
    nothing = np.zeros(0)
    incidents = Incidents.of(2, nothing, nothing, nothing)
    return History(rows, labels, incidents, {}, np.zeros((len(rows), 0)), HORIZON)


def times(found: np.ndarray) -> tuple[list[int], list[int]]:
    return TIMES[found[: len(TIMES)]].tolist(), TIMES[found[len(TIMES) :]].tolist()


BY_TIME = {"kind": "time", "boundaries": [18, 22]}
APART = {"kind": "time", "boundaries": [18]}
BY_DEVICE = {"kind": "device", "boundaries": [], "devices": [["a"], [], ["b"]]}


@pytest.mark.parametrize(
    ("split", "data", "a", "b"),
    [
        (BY_TIME, {"from": 12, "to": 25}, range(12, 22), range(12, 22)),
        (BY_TIME, {"from": 12, "to": 25, "device_names": ["b", "z"]}, (), range(12, 22)),
        (APART, {"from": 12, "to": 25}, range(12, 26), range(12, 26)),
        (BY_DEVICE, {"from": 12, "to": 25, "device_names": ["a", "b"]}, range(12, 26), ()),
        ({}, {}, TIMES, TIMES),
    ],
)
def test_trained(split: dict, data: dict, a: object, b: object) -> None:
    assert times(trained_rows(card(split, **data), sequences())) == (list(a), list(b))


def test_what_looks_into_what_was_trained_on_does_not_count() -> None:
    past, known = history(), card(BY_TIME, **{"from": 15, "to": 25, "device_names": ["a"]})
    counted = counted_rows(known, past, trained_rows(known, past.sequences))
    # The label at 12 looks at (12, 15], where training begins; the next horizon of 27 and later is not observed.
    assert times(counted) == ([10, 11, *range(22, 27)], list(range(10, 27)))
