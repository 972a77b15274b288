"""A search for hyper-parameters, as a user asks for it."""

from pathlib import Path

import pytest

from netops.models.card import read_card
from netops.workflows.project import load_project

from .conftest import Call, small

ONE = ("fleet.interval=20s", "training.families.sklearn.enabled=false", "training.families.xgboost.n_estimators=40")


@pytest.fixture(scope="module")
def run_of(home: Path) -> dict:
    """What the first test ran, for those after it."""
    return {}


@pytest.mark.slow
def test_a_run_searches_the_families_that_are_on(netops: Call, run_of: dict) -> None:
    answer = netops("run", *small(*ONE), "--trials", 2, "--json")
    assert answer.code == 0, answer.err
    run_of |= answer.json
    assert set(answer.json["models"]) == {"xgboost"}
    assert "xgboost: 2 trials, average precision " in answer.err


def test_trials_are_iterations_of_the_run(netops: Call, run_of: dict) -> None:
    (train,) = load_project().list_runs(name="train-xgboost", labels=f"workflow={run_of['run_id']}")
    runs = load_project().list_runs(uid=train["metadata"]["uid"], iter=True)
    assert sorted(run["metadata"].get("iteration", 0) for run in runs) == [0, 1, 2]
    shown = netops("runs", "show", run_of["run_id"], "--json").json["steps"]
    found = {step["workflow"]: step["iterations"] for step in shown}
    assert [trial["iteration"] for trial in found["train-xgboost"]] == [1, 2]
    assert sum(trial["best"] for trial in found["train-xgboost"]) == 1
    assert found["select"] == []
    text = netops("runs", "show", run_of["run_id"]).out
    assert "train-xgboost: 2 iterations, the best marked *" in text
    assert text.count("\n*  ") == 1


def test_card_and_report_describe_the_search(netops: Call, run_of: dict) -> None:
    shown = netops("models", "show", run_of["models"]["xgboost"]["version"], "--json").json
    search = shown["card"]["search"]
    assert search["trials"] == 2
    assert search["configured"] <= search["best"]
    assert read_card(Path(shown["path"])).search == search
    reported = netops("models", "show", run_of["models"]["xgboost"]["version"]).out
    assert "search: 2 trials; average precision on the training incidents set aside" in reported
    report = Path(run_of["report"]).read_text(encoding="utf-8")
    assert "2 trials; average precision on the training incidents set aside" in report
    assert "the best of 2 trials" in report


def test_training_alone_with_the_same_seed_gives_the_same_model(netops: Call, run_of: dict) -> None:
    (features,) = (Path(run_of["report"]).parent).glob("**/features/_meta.json")
    settings = [*small(*ONE), "--features", features.parent, "--json"]
    version = netops("train", *settings, "--trials", 2).json["models"]["xgboost"]["version"]
    assert version == run_of["models"]["xgboost"]["version"]
    assert netops("train", *settings, "--trials", 2, "--family", "sklearn").code == 2


def test_a_budget_option_overrides_configured_trials(netops: Call, run_of: dict) -> None:
    (features,) = (Path(run_of["report"]).parent).glob("**/features/_meta.json")
    answer = netops(
        "train", *small(*ONE, "training.trials=500"), "--features", features.parent, "--budget", "1s", "--json"
    )
    assert answer.code == 0, answer.err
    (card,) = [
        netops("models", "show", figures["version"], "--json").json["card"]
        for figures in answer.json["models"].values()
    ]
    assert 1 <= card["search"]["trials"] < 500
