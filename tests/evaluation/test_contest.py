"""Champion against challenger, with real model folders on the same telemetry."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from netops.alerting.settings import AlertSettings
from netops.config.durations import MINUTE
from netops.evaluation.comparison import compare_with_champion, missing_features
from netops.evaluation.promotion import Decision, PromotionSettings
from netops.evaluation.report.importance import metric_of
from netops.models.card import read_card, write_card
from netops.training.examples import Examples, prepare_examples
from netops.training.families.registry import Families
from netops.training.families.xgboost import XGBoost
from netops.training.settings import TrainingSettings
from netops.training.train import train_family
from tests.training.synthetic import make_dataset

GOOD = XGBoost(n_estimators=20, max_depth=6, learning_rate=0.1, colsample_bytree=0.8)
WEAK = XGBoost(n_estimators=1, max_depth=1, learning_rate=0.1, colsample_bytree=0.1)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    work = tmp_path_factory.mktemp("contest")
    return prepare_examples(
        make_dataset(work / "features"), TrainingSettings(horizon=5 * MINUTE, cross_fit="never"), work
    )


def trained(examples: Examples, name: str, family: XGBoost) -> Path:
    out = examples.folder.parent / "models" / name
    settings = TrainingSettings(horizon=5 * MINUTE, cross_fit="never", families=Families(xgboost=family))
    card = train_family(examples, "xgboost", settings, out, network="demo")
    write_card(out, card.updated(threshold=0.5))
    return out


@pytest.fixture(scope="module")
def good(examples: Examples) -> Path:
    return trained(examples, "good", GOOD)


@pytest.fixture(scope="module")
def weak(examples: Examples) -> Path:
    return trained(examples, "weak", WEAK)


def decided(examples: Examples, challenger: Path, champion: Path | None) -> Decision:
    settings = PromotionSettings(recall_floor=0.0, false_alarms_per_device_day=1e6)
    return compare_with_champion(examples, challenger, champion, AlertSettings(), settings)


def test_a_better_challenger_is_promoted_and_a_worse_one_is_not(examples: Examples, good: Path, weak: Path) -> None:
    assert decided(examples, good, weak).promoted
    refused = decided(examples, weak, good)
    assert not refused.promoted
    assert "not better beyond the interval" in refused.reason


def test_a_broken_challenger_is_refused(examples: Examples, good: Path, weak: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(good, broken)
    # Another version, so that no risks of the whole one are at hand.
    card = json.loads((broken / "card.json").read_text()) | {"version": "f00dfeed0000"}
    (broken / "card.json").write_text(json.dumps(card))
    (broken / "model.onnx").write_bytes((good / "model.onnx").read_bytes()[:500])
    refused = decided(examples, broken, weak)
    assert not refused.promoted
    assert "could not be evaluated" in refused.reason
    assert not decided(examples, broken, None).promoted


def test_a_challenger_that_misses_a_feature_is_refused(
    examples: Examples, good: Path, weak: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd"
    shutil.copytree(good, odd)
    card = json.loads((odd / "card.json").read_text())
    card |= {"version": "f00dfeed0001", "features": ["temperature", *card["features"][1:]]}
    (odd / "card.json").write_text(json.dumps(card))
    refused = decided(examples, odd, weak)
    assert not refused.promoted
    assert "'temperature'" in refused.reason
    assert not decided(examples, odd, None).promoted


def test_the_champion_itself_is_no_challenger(examples: Examples, good: Path) -> None:
    refused = decided(examples, good, good)
    assert not refused.promoted
    assert "in service already" in refused.reason


def test_a_column_that_counts_another_template_is_missing(examples: Examples, good: Path) -> None:
    card = read_card(good)
    feature, metric = card.features[0], metric_of(card.features[0], card.metrics)
    counting = replace(card, features=card.features[:1], logs={"texts": {metric: "fan <*> failed"}})
    same = replace(examples, info=examples.info | {"logs": {"texts": {metric: "fan <*> failed"}}})
    other = replace(examples, info=examples.info | {"logs": {"texts": {metric: "link down"}}})
    assert missing_features(same, counting) == ()
    assert missing_features(other, counting) == missing_features(examples, counting)
    assert missing_features(other, counting) == (f"{feature}: fan <*> failed",)
