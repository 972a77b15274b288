"""Training in processes of their own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from netops.alerting.settings import AlertSettings
from netops.config.durations import MINUTE
from netops.errors import NetopsError, UsageError
from netops.evaluation.assessment import assess
from netops.models.card import ModelCard, read_card, version_of
from netops.models.onnx_file import Scorer, save_model
from netops.models.platt import Platt, fit_platt
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples, prepare_examples
from netops.training.families.registry import Families, longest_first
from netops.training.families.xgboost import XGBoost
from netops.training.fitting import Job, fit
from netops.training.rows import gather
from netops.training.settings import TrainingSettings
from netops.training.train import Workers, _Turns, split_risks, train_family
from tests.training.synthetic import make_dataset

TREES = XGBoost(n_estimators=20, max_depth=6, learning_rate=0.1, colsample_bytree=0.8)
SETTINGS = TrainingSettings(horizon=5 * MINUTE, cross_fit="never", families=Families(xgboost=TREES))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    work = tmp_path_factory.mktemp("training")
    return prepare_examples(make_dataset(work / "features"), SETTINGS, work)


@pytest.fixture(scope="module")
def trained(examples: Examples) -> tuple[ModelCard, Path]:
    out = examples.folder.parent / "models" / "xgboost"
    with Workers() as workers:
        workers.prewarm(["xgboost"])
        return train_family(examples, "xgboost", SETTINGS, out, network="demo", workers=workers), out


def test_the_card_is_complete(examples: Examples, trained: tuple[ModelCard, Path]) -> None:
    card, out = trained
    assert read_card(out).to_dict() == card.to_dict()
    assert (card.network, card.family, card.horizon) == ("demo", "xgboost", 5 * MINUTE)
    assert card.features == examples.names
    assert card.agreement <= 1e-5
    assert card.fit_seconds > 0
    assert card.params["n_estimators"] == 20
    assert card.params["seed"] == 0
    assert {"xgboost", "onnx", "numpy"} <= set(card.libraries)
    assert "unknown" not in card.libraries.values()
    assert card.data["fingerprint"] == examples.info["data"]["fingerprint"]


def test_risks_are_those_of_the_saved_model(examples: Examples, trained: tuple[ModelCard, Path]) -> None:
    for name in ("validation", "test"):
        risks, split = split_risks(examples, trained[1], name), examples.evaluation_split(name)
        np.testing.assert_array_equal(np.isnan(risks), split.inside)
        rows = np.array(examples.array(name))
        dataset = Dataset.open(Path(examples.sources[name]))
        expected = Scorer(trained[1]).score(gather(dataset, examples.names, rows[rows >= 0]))
        np.testing.assert_allclose(risks[rows >= 0], expected, atol=1e-6)
        labels = split.labels
        assert risks[labels == 1].mean() > 2 * risks[labels == 0].mean()


def test_it_is_calibrated_on_the_validation_part(examples: Examples, trained: tuple[ModelCard, Path]) -> None:
    card, out = trained
    split, risks = examples.evaluation_split("validation"), split_risks(examples, out, "validation")
    assert card.calibration == fit_platt(risks, split.labels).to_dict()
    assert card.calibration["rows"] == (split.labels >= 0).sum()
    assert card.calibration["positives"] == (split.labels == 1).sum()
    calibration = Platt.from_dict(card.calibration)
    assert calibration is not None
    rows = np.array(examples.array("validation"))
    features = gather(Dataset.open(Path(examples.sources["validation"])), examples.names, rows[rows >= 0])
    found, probabilities = Scorer(out).both(features)
    np.testing.assert_array_equal(found, risks[rows >= 0])
    np.testing.assert_allclose(probabilities, calibration.apply(found), atol=1e-6)


def test_a_risk_that_does_not_rise_with_failures_gets_no_probability(
    examples: Examples, trained: tuple[ModelCard, Path], tmp_path: Path
) -> None:
    """Where the healthy fail on validation and the failing do not, the raw model is kept; the card says why."""
    shutil.copytree(examples.folder, tmp_path / "examples")
    labels = np.load(tmp_path / "examples" / "validation-labels.npy")
    np.save(tmp_path / "examples" / "validation-labels.npy", np.where(labels < 0, labels, 1 - labels))
    job = Job(str(tmp_path / "examples"), "demo", "xgboost", asdict(TREES), 0, 1, str(tmp_path / "model"))
    card = fit(job)
    assert card.calibration["method"] is None
    assert "does not rise" in card.calibration["reason"]
    rows = np.array(examples.array("test"))
    features = gather(Dataset.open(Path(examples.sources["test"])), examples.names, rows[rows >= 0])
    risks, probabilities = Scorer(tmp_path / "model").both(features)
    np.testing.assert_array_equal(risks, Scorer(trained[1]).score(features))
    assert np.isnan(probabilities).all()


def test_the_version_is_of_the_whole_file_and_figures_of_the_risk(
    examples: Examples, trained: tuple[ModelCard, Path]
) -> None:
    """The calibration is part of the version; threshold and ranking owe nothing to it."""
    card, out = trained
    model = (out / "model.onnx").read_bytes()
    purpose = (card.network, card.features, card.spec, card.horizon)
    assert card.version == version_of(model, *purpose)
    parts = [split_risks(examples, out, name) for name in ("validation", "test")]
    calibration = Platt.from_dict(card.calibration)
    with_it = assess(examples, *parts, AlertSettings(), calibration=calibration)
    without = assess(examples, *parts, AlertSettings())
    assert (with_it.policy, with_it.choice) == (without.policy, without.choice)
    assert with_it.evaluation.figures == without.evaluation.figures
    calibrated, raw = with_it.evaluation.to_dict(), without.evaluation.to_dict()
    assert calibrated["uncalibrated"] == raw["reliability"]
    assert raw["uncalibrated"] is None
    assert calibrated["expected_calibration_error"] < 0.02
    assert (
        calibrated["intervals"]["brier"]["low"] <= calibrated["brier"] <= calibrated["intervals"]["brier"]["high"]
    )


def test_a_budget_that_excludes_nothing_is_reported_with_the_threshold(examples: Examples) -> None:
    risks = [np.zeros(len(examples.evaluation_split(name).labels)) for name in ("validation", "test")]
    for budget, empty in ((1.0, False), (3000.0, True)):  # a week has 2,016 horizons
        found = assess(examples, *risks, AlertSettings(false_alarms_per_device_week=budget))
        assert ("excludes nothing" in found.choice.note) == empty


def test_a_model_from_elsewhere_is_scored(
    examples: Examples, trained: tuple[ModelCard, Path], tmp_path: Path
) -> None:
    card, out = trained
    save_model(tmp_path / "copy", (out / "model.onnx").read_bytes(), card.updated(version="other"))
    found = split_risks(examples, tmp_path / "copy", "test")
    np.testing.assert_allclose(found, split_risks(examples, out, "test"), atol=1e-6)


def test_same_seed_same_version(examples: Examples, trained: tuple[ModelCard, Path], tmp_path: Path) -> None:
    again = train_family(examples, "xgboost", SETTINGS, tmp_path / "again", network="demo")
    assert again.version == trained[0].version
    changed = replace(SETTINGS, seed=1)
    assert train_family(examples, "xgboost", changed, tmp_path / "b", network="demo").version != again.version


def test_dead_worker_is_one_clear_line(examples: Examples, tmp_path: Path) -> None:
    def kill(done: int, total: int, what: str) -> None:
        os.kill(process.pid, signal.SIGKILL)

    with Workers() as workers:
        workers.prewarm(["xgboost"])
        process = workers._waiting["xgboost"]._process
        with pytest.raises(NetopsError, match=r"xgboost: its process ended by signal 9.*memory") as error:
            train_family(
                examples, "xgboost", SETTINGS, tmp_path / "out", network="demo", workers=workers, progress=kill
            )
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_worker_that_cannot_start(examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(NetopsError, match="ended by exit code 1; ") as error:
        train_family(examples, "xgboost", SETTINGS, tmp_path / "out", network="demo")
    assert "\n" not in str(error.value)


def test_error_in_a_worker_is_one_clear_line(examples: Examples, tmp_path: Path) -> None:
    broken = replace(examples, folder=tmp_path)
    with pytest.raises(NetopsError, match="training xgboost: FileNotFoundError") as error:
        train_family(broken, "xgboost", SETTINGS, tmp_path / "out", network="demo")
    assert "Traceback" in str(error.value.__cause__)


def test_unknown_family(examples: Examples, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model family 'xgbost'; did you mean 'xgboost'"):
        train_family(examples, "xgbost", SETTINGS, tmp_path, network="demo")


def test_closing_ends_waiting_processes() -> None:
    workers = Workers()
    workers.prewarm(["xgboost"])
    process = workers._waiting["xgboost"]._process
    workers.close()
    assert process.poll() is not None


def test_fits_take_turns_where_there_are_fewer_processors(examples: Examples, tmp_path: Path) -> None:
    at: list[str] = []

    def fit(family: str) -> None:
        train_family(
            examples,
            family,
            SETTINGS,
            tmp_path / family,
            network="demo",
            workers=workers,
            progress=lambda *_: at.append(family),
        )

    with Workers(processes=1) as workers:
        workers.prewarm(["xgboost", "sklearn"])
        assert list(workers._waiting) == ["sklearn"]  # its fit takes longer
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(fit, ["sklearn", "xgboost"]))
    assert set(at) == {"sklearn", "xgboost"}
    assert at == sorted(at)


def order_of_turns(expected: list[str], asking: list[str], late: list[str] = ()) -> list[str]:  # type: ignore[assignment]
    turns, order = _Turns(1), []
    for family in expected:
        turns.expect(family)

    def fit(family: str) -> None:
        with turns.turn(family):
            order.append(family)
            time.sleep(0.1)

    with ThreadPoolExecutor(8) as pool:
        for family in asking:
            pool.submit(fit, family)
        time.sleep(0.3)
        for family in late:
            pool.submit(fit, family)
    return order


def test_the_next_turn_is_that_of_the_longest_fit_whose_process_is_started() -> None:
    families = ["xgboost", "tensorflow", "sklearn", "extra_trees"]
    assert order_of_turns(["extra_trees"], families[:3], late=["extra_trees"]) == longest_first(families)
    assert order_of_turns(["xgboost"], ["sklearn", "tensorflow"], late=["xgboost"])[0] == "xgboost"


def test_a_started_process_whose_job_does_not_come_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netops.training.train._PATIENCE", 0.2)
    assert order_of_turns(["extra_trees"], ["xgboost", "sklearn"]) == ["sklearn", "xgboost"]


def test_a_worker_ends_with_its_parent() -> None:
    code = "from netops.training.train import Workers; w = Workers(); w.prewarm(['xgboost']); "
    code += "print(w._waiting['xgboost']._process.pid, flush=True); import os; os._exit(9)"
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return
        signal.sigtimedwait([], 0.1)
    pytest.fail("the worker is still there")


def test_what_a_worker_imports() -> None:
    code = "import sys; import netops.training.worker, netops.training.fitting; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    assert not {"mlrun", "numba", "pandas", "tensorflow", "sklearn", "xgboost"} & set(modules)
