"""The search for hyper-parameters."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netops.config.binding import bind
from netops.config.durations import MINUTE, SECOND
from netops.errors import NetopsError, UsageError
from netops.models.card import ModelCard, read_card
from netops.models.fitted import Fitted
from netops.training.examples import Examples, prepare_examples
from netops.training.families.protocol import Family, FitData
from netops.training.families.registry import FAMILIES, Families
from netops.training.families.space import OneOf
from netops.training.families.tensorflow import TensorFlow
from netops.training.families.xgboost import XGBoost
from netops.training.search import Limits, Proposals, Search, Trial, average_precision, best_of, summary_of
from netops.training.settings import TrainingSettings
from netops.training.train import Workers, train_family
from tests.training.synthetic import make_dataset

TREES = XGBoost(n_estimators=15, max_depth=3, learning_rate=0.3)
SETTINGS = TrainingSettings(horizon=5 * MINUTE, trials=3, families=Families(xgboost=TREES))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    work = tmp_path_factory.mktemp("search")
    return prepare_examples(make_dataset(work / "features"), SETTINGS, work)


@pytest.fixture(scope="module")
def searched(examples: Examples) -> tuple[ModelCard, Path, list[Trial]]:
    out, reported = examples.folder.parent / "searched", []
    card = train_family(examples, "xgboost", SETTINGS, out, network="demo", on_trial=reported.append)
    return card, out, reported


def data(rows: int = 2_000, seed: int = 0) -> FitData:
    """Rows of which the first feature matters; every fourth is set aside."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 4)).astype(np.float32)
    labels = (features[:, 0] + rng.normal(size=rows) > 1.5).astype(np.float32)
    return FitData(features, labels, rng.uniform(1, 5, rows), np.arange(rows) % 4 == 0)


def test_the_card_lists_the_trials(searched: tuple[ModelCard, Path, list[Trial]]) -> None:
    card, out, reported = searched
    search = card.search
    assert read_card(out).to_dict() == json.loads(json.dumps(card.to_dict()))
    assert [trial.number for trial in reported] == [1, 2, 3]
    assert search["trials"] == 3
    assert search["failed"] == 0
    values = [trial.average_precision for trial in reported]
    assert search["best"] == max(values) == values[search["chosen"] - 1]
    assert search["worst"] == min(values)
    assert search["configured"] == values[0] <= search["best"]
    assert reported[0].params == {name: getattr(TREES, name) for name in XGBoost.space}
    assert len({json.dumps(trial.params) for trial in reported}) == 3
    chosen = reported[search["chosen"] - 1].params
    assert {name: card.params[name] for name in chosen} == chosen
    assert card.fit_seconds == reported[search["chosen"] - 1].seconds


def test_the_same_seed_gives_the_same_model(
    examples: Examples, searched: tuple[ModelCard, Path, list[Trial]], tmp_path: Path
) -> None:
    card, out, _ = searched
    again = train_family(examples, "xgboost", SETTINGS, tmp_path / "again", network="demo")
    assert again.version == card.version
    assert (tmp_path / "again" / "model.onnx").read_bytes() == (out / "model.onnx").read_bytes()
    other = replace(SETTINGS, seed=1)
    assert train_family(examples, "xgboost", other, tmp_path / "b", network="demo").version != card.version


def test_a_budget_ends_the_search(examples: Examples, tmp_path: Path) -> None:
    settings = replace(SETTINGS, trials=None, budget=3 * SECOND)
    card = train_family(examples, "xgboost", settings, tmp_path / "model", network="demo")
    assert card.search["trials"] >= 1
    assert card.search["seconds"] < 3 + max(trial["seconds"] for trial in card.search["tried"])


def test_no_trial_begins_after_the_deadline() -> None:
    ticks = iter(range(100))
    # Read before each trial, before and after its fit: each trial takes three ticks, the fourth would begin at 9.
    search = Search(data(), 0, 1, Limits(None, 7.5), clock=lambda: float(next(ticks)))
    search.run(TREES)
    assert len(search._trials) == 3


def test_a_deadline_in_the_past_leaves_the_configured_fit() -> None:
    reported: list[Trial] = []
    family, fitted, _ = Search(data(), 0, 1, Limits(None, 0.0), reported.append).run(TREES)
    assert family == TREES
    assert fitted.iterations == reported[0].iterations
    assert len(reported) == 1


def test_progress_reports_trial_and_best(examples: Examples, tmp_path: Path) -> None:
    shown: list[tuple[int, int, str]] = []
    how = {"network": "demo", "progress": lambda *update: shown.append(update)}
    card = train_family(examples, "xgboost", SETTINGS, tmp_path / "model", **how)
    messages = [what for _, _, what in shown if ": " in what]
    assert messages[-1] == f"train xgboost: trial 3, best {card.search['best']:.3f}"
    assert [done for done, _, _ in shown] == sorted(done for done, _, _ in shown)
    assert shown[-1][0] == shown[-1][1]


def test_a_dead_process_leaves_the_best_so_far(examples: Examples, tmp_path: Path) -> None:
    reported: list[Trial] = []

    with Workers() as workers:
        workers.prewarm(["xgboost"])
        process = workers._waiting["xgboost"]._process

        def kill(trial: Trial) -> None:
            reported.append(trial)
            if trial.number == 2:
                os.kill(process.pid, signal.SIGKILL)

        many = replace(SETTINGS, trials=10_000)
        card = train_family(
            examples, "xgboost", many, tmp_path / "model", network="demo", workers=workers, on_trial=kill
        )
    best = best_of(reported)
    assert best is not None
    assert {name: card.params[name] for name in best.params} == best.params
    assert "signal 9" in card.search["note"]
    assert read_card(tmp_path / "model").search["trials"] == len(reported) >= 2


def test_nothing_set_aside_is_no_search_and_says_so(tmp_path: Path) -> None:
    few = make_dataset(tmp_path / "features", devices=4, rows=1_200, every=900, parts=1)
    settings = replace(SETTINGS, split="device", horizon=3 * MINUTE)
    examples = prepare_examples(few, settings, tmp_path)
    assert not examples.array("early").any()
    reported: list[Trial] = []
    card = train_family(examples, "xgboost", settings, tmp_path / "m", network="demo", on_trial=reported.append)
    assert reported == []
    assert "too few training incidents" in card.search["note"]
    assert card.params["max_depth"] == TREES.max_depth


def test_a_failed_trial_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    real = XGBoost.fit

    def fit(self: XGBoost, data: FitData, seed: int, threads: int) -> Fitted:
        if self.max_depth != TREES.max_depth:
            raise ValueError("not this one\nnor any other")
        return real(self, data, seed, threads)

    monkeypatch.setattr(XGBoost, "fit", fit)
    reported: list[Trial] = []
    family, _, _ = Search(data(), 0, 1, Limits(4), reported.append).run(TREES)
    assert family.max_depth == TREES.max_depth  # type: ignore[attr-defined]
    failed = [trial for trial in reported if trial.error]
    assert failed
    assert failed[0].error == "ValueError: not this one"
    assert summary_of(reported)["failed"] == len(failed)
    monkeypatch.setattr(XGBoost, "fit", lambda *_: 1 / 0)
    with pytest.raises(NetopsError, match="every trial failed, the first with: ZeroDivisionError") as error:
        Search(data(), 0, 1, Limits(2)).run(TREES)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_space_proposes_what_the_family_takes(name: str) -> None:
    family: Family = FAMILIES[name]()
    proposals = Proposals(family, seed=5)
    assert proposals.ask() == family
    proposals.report(0.5)
    for value in np.random.default_rng(0).random(12):
        proposed = proposals.ask()
        bind(FAMILIES[name], proposals.params(proposed), name)  # every bound holds
        for key, span in family.space.items():
            found = getattr(proposed, key)
            assert type(found) is type(getattr(family, key))
            assert found in span.values if isinstance(span, OneOf) else span.low <= found <= span.high
        proposals.report(float(value))


def test_a_space_widens_to_what_is_configured() -> None:
    odd = XGBoost(max_depth=12, reg_lambda=0.0)
    assert Proposals(odd, 0).ask() == odd
    wide = TensorFlow(layers=(7, 3), batch_size=33)
    assert Proposals(wide, 0).ask() == wide


def test_average_precision_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(1)
    risks = rng.integers(0, 20, 500) / 20  # with ties
    labels, weights = (rng.random(500) < 0.2 + risks / 3).astype(np.float32), rng.uniform(1, 9, 500)
    expected = average_precision_score(labels, risks, sample_weight=weights)
    assert average_precision(labels, risks, weights) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"trials": 5, "budget": "60s"}, "trials and budget exclude each other"),
        ({"trials": 0}, "trials: 0 is below 1"),
        ({"budget": "0s"}, "budget: duration '0s' must be more than zero"),
        ({"budget": "-5s"}, "budget: duration|not a valid duration"),
        ({"trials": 2, "early_share": 0}, "early_share: 0 leaves no incidents to evaluate trials"),
    ],
)
def test_refuses_in_one_line(values: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        bind(TrainingSettings, values, "training.yaml")
    assert "\n" not in str(error.value)
