"""The model card."""

import json
from pathlib import Path

import numpy as np
import pytest

from netops.errors import NetopsError
from netops.models.card import CARD_FILE, ModelCard, read_card, version_of, write_card

CARD = ModelCard("demo", "xgboost", "abc", ("a", "b"), {"metrics": ["a"]}, ("a",), 600_000_000_000)


def test_round_trip(tmp_path: Path) -> None:
    full = CARD.updated(threshold=0.5, evaluation={"roc_auc": np.float64(0.9)}, params={"layers": (64, 32)})
    write_card(tmp_path, full)
    again = read_card(tmp_path)
    assert again.features == ("a", "b")
    assert again.threshold == 0.5
    assert again.evaluation == {"roc_auc": 0.9}
    assert read_card(tmp_path).to_dict() == again.to_dict()


def test_what_is_not_a_number_becomes_null(tmp_path: Path) -> None:
    write_card(tmp_path, CARD.updated(evaluation={"roc_auc": float("nan"), "curve": np.array([1.0, np.inf])}))
    assert json.loads((tmp_path / CARD_FILE).read_text())["evaluation"] == {"roc_auc": None, "curve": [1.0, None]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[]", "not a model card"),
        ('{"format": 2}', "format 1"),
        ('{"format": 1}', "'network' is missing"),
    ],
)
def test_refuses_what_is_no_card(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / CARD_FILE).write_text(text)
    with pytest.raises(NetopsError, match=words) as error:
        read_card(tmp_path)
    assert "\n" not in str(error.value)


def test_missing_card(tmp_path: Path) -> None:
    with pytest.raises(NetopsError, match=r"card\.json is missing"):
        read_card(tmp_path)


def test_finds_its_features_among_others() -> None:
    np.testing.assert_array_equal(CARD.indices(["x", "b", "a"]), [2, 1])
    with pytest.raises(NetopsError, match="takes feature 'a'"):
        CARD.indices(["b"])


def test_version_follows_model_and_purpose() -> None:
    assert version_of(b"model", "demo") == version_of(b"model", "demo")
    assert len({version_of(b"model", "demo"), version_of(b"model", "other"), version_of(b"modem", "demo")}) == 3
