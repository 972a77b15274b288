"""The vote of the families: a version like any other, from selection to service."""

from pathlib import Path

import pytest

from netops.models.card import read_card
from netops.models.onnx_file import Scorer
from netops.registry.model import list_models
from netops.workflows.project import load_project

from .conftest import Call, fail, small

pytestmark = pytest.mark.slow
#: Two quick families; the network is as small as that of the other tests.
SETTINGS = small(
    "fleet.interval=20s", "training.families.xgboost.n_estimators=60", "training.families.sklearn.max_iter=60"
)


@pytest.fixture(scope="module")
def done(home: Path) -> dict:
    """What the first test ran, for those after it."""
    return {}


def test_it_is_a_candidate_beside_its_members(netops: Call, done: dict) -> None:
    answer = netops("run", *SETTINGS, "--json")
    assert answer.code == 0, answer.err
    done |= answer.json
    assert set(done["models"]) == {"sklearn", "xgboost", "vote"}
    version = done["models"]["vote"]["version"]
    listed = {model["version"]: model for model in netops("models", "list", "--json").rows}
    assert listed[version]["family"] == "vote"
    assert listed[version]["average_precision"] == done["models"]["vote"]["average_precision"]
    shown = netops("models", "show", version, "--json").json
    card = read_card(Path(shown["path"]))
    assert card.params["members"] == {name: done["models"][name]["version"] for name in ("sklearn", "xgboost")}
    assert card.threshold == done["models"]["vote"]["threshold"]
    assert card.agreement <= 1e-5
    assert card.evaluation["validation"]["false_alarms_per_device_day"] <= 1 / 7
    assert "vote" in Path(done["report"]).read_text(encoding="utf-8")
    assert "vote" in netops("models", "show", version).out


def test_it_is_proved_and_serves_like_any_other(netops: Call, done: dict) -> None:
    version = done["models"]["vote"]["version"]
    assert netops("models", "promote", version).code == 0
    shown = netops("models", "show", "--json").json
    assert shown["version"] == version
    assert Scorer(Path(shown["path"])).card.family == "vote"


def test_a_retried_selection_registers_it_once(netops: Call, done: dict) -> None:
    version = done["models"]["vote"]["version"]
    load_project()
    fail(done["run_id"], "select")
    answer = netops("run", "--resume", done["run_id"], "--json")
    assert answer.code == 0, answer.err
    assert answer.json["models"]["vote"] == done["models"]["vote"] | {
        "fit_seconds": answer.json["models"]["vote"]["fit_seconds"]
    }
    # A version is listed once per tag: it is the champion, too.
    assert len({model.uri for model in list_models("demo", "*") if model.version == version}) == 1


def test_it_can_be_switched_off(netops: Call, done: dict) -> None:
    answer = netops("run", *SETTINGS, "--set", "training.vote=false", "--name", "single", "--json")
    assert answer.code == 0, answer.err
    assert set(answer.json["models"]) == {"sklearn", "xgboost"}
