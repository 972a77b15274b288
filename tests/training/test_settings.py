"""The ``training:`` section."""

from pathlib import Path

import pytest

from netops.config.binding import bind, read_yaml
from netops.config.durations import MINUTE, SECOND
from netops.errors import UsageError
from netops.training.families.registry import FAMILIES
from netops.training.settings import TrainingSettings

YAML = Path(__file__).parents[2] / "configurations" / "training.yaml"


def test_file_holds_the_defaults() -> None:
    assert bind(TrainingSettings, read_yaml(YAML), str(YAML)) == TrainingSettings()


def test_horizon_follows_the_interval() -> None:
    assert TrainingSettings().horizon_for(5.0) == 10 * MINUTE
    assert TrainingSettings(horizon=60 * SECOND).horizon_for(5.0) == 60 * SECOND


def test_families_can_be_switched_off() -> None:
    off = {"enabled": False}
    some = bind(TrainingSettings, {"families": {"sklearn": off}}, "training.yaml")
    assert some.enabled_families == ["xgboost", "tensorflow", "extra_trees"]
    none = bind(TrainingSettings, {"families": dict.fromkeys(FAMILIES, off)}, "t")
    with pytest.raises(UsageError, match="every family is switched off"):
        _ = none.enabled_families


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"families": {"xgbost": {}}}, "did you mean 'xgboost'"),
        ({"families": {"xgboost": {"max_deph": 3}}}, "xgboost: unknown key 'max_deph'; did you mean 'max_depth'"),
        ({"families": {"xgboost": {"max_depth": 0}}}, "max_depth: 0 is below 1"),
        ({"split": "random"}, "'random' is not allowed"),
        ({"families": {"tensorflow": {"layers": [64, 0]}}}, "0 is below 1"),
    ],
)
def test_refuses_in_one_line(values: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        bind(TrainingSettings, values, "training.yaml")
    assert "\n" not in str(error.value)
