"""Cross-fitting: each sample of training and validation is scored by a model that has not seen it."""

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score

from netops.alerting.settings import AlertSettings
from netops.config.durations import MINUTE
from netops.errors import UsageError
from netops.evaluation import assessment, clock_baseline
from netops.evaluation.seen import unseen_by
from netops.models.card import read_card
from netops.models.onnx_file import Scorer
from netops.telemetry.dataset import Dataset
from netops.training.examples import Examples, prepare_examples
from netops.training.families.xgboost import XGBoost
from netops.training.fitting import HELD_OUT, Job, fit
from netops.training.rows import gather
from netops.training.settings import TrainingSettings
from netops.training.splits import NONE, TEST, TRAIN, VALIDATION, Split, cross_fitted, split
from netops.training.train import split_risks
from tests.evaluation.worlds import HORIZON, world
from tests.training.synthetic import INTERVAL, make_dataset

SETTINGS = TrainingSettings(horizon=5 * MINUTE, cross_fit="always", max_rows=8_000)


def average_precision(risks: np.ndarray, labels: np.ndarray) -> float:
    counted = (labels >= 0) & np.isfinite(risks)
    return float(average_precision_score(labels[counted] == 1, risks[counted]))


def folded(kind: str, **changes) -> tuple[Split, Split]:
    """Split a world, and cross-fit it."""
    sequences, labels, incidents = world(**changes)
    cut = split(kind, sequences, labels, incidents, HORIZON)
    return cut, cross_fitted(cut, sequences, labels, incidents, HORIZON, seed=0, below=10_000)


def test_folds_in_time_are_blocks_and_the_test_split_stays() -> None:
    sequences, labels, incidents = world()
    cut, crossed = folded("time")
    assert (crossed.rows(TEST) == cut.rows(TEST)).all()
    assert (crossed.rows(TRAIN) == crossed.rows(VALIDATION)).all()
    assert crossed.rows(TRAIN)[cut.rows(TRAIN) | cut.rows(VALIDATION)].all()
    folds, times = crossed.folds, sequences.timestamps
    assert len(folds) == 4
    assert ((folds.of_row == NONE) == ~crossed.rows(TRAIN)).all()
    spans = [(times[folds.of_row == fold].min(), times[folds.of_row == fold].max()) for fold in range(4)]
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    for fold, (first, last) in enumerate(spans):
        fitted = folds.fitted(fold, times, HORIZON)
        assert fitted.any()
        # No label of a fitted row looks into the fold, and no window of one does.
        assert not ((times[fitted] <= last) & (times[fitted] + HORIZON >= first)).any()
        assert (times[fitted & (times > last)] - last >= HORIZON).all()
        held = incidents.observed(sequences.where(folds.of_row == fold), HORIZON)
        assert held.any()
    assert (labels[crossed.rows(TRAIN)] >= 0).any()


def test_folds_of_devices_are_disjoint_and_hold_incidents() -> None:
    sequences, _, incidents = world()
    cut, crossed = folded("device")
    device = sequences.device_of_row
    of_fold = [set(device[crossed.folds.of_row == fold]) for fold in range(len(crossed.folds))]
    assert sum(map(len, of_fold)) == len(set().union(*of_fold))
    assert all(set(incidents.device) & devices for devices in of_fold)
    assert crossed.devices == ((*cut.devices[0], *cut.devices[1]), (), cut.devices[2])
    for fold, devices in enumerate(of_fold):
        assert not set(device[crossed.folds.fitted(fold, sequences.timestamps, HORIZON)]) & devices


def test_many_incidents_need_one_split_and_too_few_allow_no_folds() -> None:
    sequences, labels, incidents = world()
    cut = split("time", sequences, labels, incidents, HORIZON)
    count = incidents.observed(sequences.where(cut.rows(TRAIN) | cut.rows(VALIDATION)), HORIZON).sum()
    for below, crossed in ((int(count), False), (10_000, True), (0, False)):
        found = cross_fitted(cut, sequences, labels, incidents, HORIZON, seed=0, below=below)
        assert (found.folds is not None) == crossed
    lonely = incidents.where(np.arange(len(incidents)) == 0)
    found = cross_fitted(cut, sequences, labels, lonely, HORIZON, seed=0, below=10_000)
    assert found is cut


def test_a_search_is_not_cross_fitted() -> None:
    assert TrainingSettings().cross_fit_below == 120
    assert TrainingSettings(trials=3).cross_fit_below == 0
    assert TrainingSettings(cross_fit="never").cross_fit_below == 0
    with pytest.raises(UsageError, match="cross_fit"):
        TrainingSettings(trials=3, cross_fit="always")


def memorable(folder: Path) -> Dataset:
    """A dataset whose features are constants of the device, by which a model knows each device and nothing else."""
    dataset = make_dataset(folder, devices=40, rows=500, every=300)
    for part in dataset.parts:
        table = pq.read_table(part)
        codes = table.column("device").to_pylist()
        for index, name in enumerate(dataset.meta.features and table.column_names):
            if name.startswith(("cpu", "loss")):
                value = {code: np.random.default_rng((index, int(code[1:]))).normal() for code in set(codes)}
                table = table.set_column(index, name, pa.array([value[code] for code in codes]))
        # Half of the devices never fail.
        quiet = pa.array(
            [
                bool(error) and int(code[1:]) % 2 == 0
                for error, code in zip(table.column("is_error").to_pylist(), codes, strict=True)
            ]
        )
        table = table.set_column(table.column_names.index("is_error"), "is_error", quiet)
        pq.write_table(table, part)
    log = pq.read_table(folder / "_incidents.parquet")
    keep = pa.array([int(str(device)[1:]) % 2 == 0 for device in log.column("device").to_pylist()])
    pq.write_table(log.filter(keep), folder / "_incidents.parquet")
    return Dataset.open(folder)


def trained(examples: Examples, out: Path) -> Path:
    """Fit XGBoost in this process."""
    params = {"n_estimators": 60, "max_depth": 6, "min_child_weight": 0.1, "early_stopping_rounds": 10}
    fit(Job(str(examples.folder), "small", "xgboost", params, 0, 1, str(out)))
    return out


@pytest.fixture(scope="module")
def known_by_heart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Examples, Path]:
    """Examples of devices that can only be known by heart, and a model that does."""
    folder = tmp_path_factory.mktemp("memorable")
    examples = prepare_examples(memorable(folder / "features"), replace(SETTINGS, split="device"), folder / "work")
    return examples, trained(examples, folder / "model")


def test_figures_show_nothing_of_what_a_model_knows_by_heart(known_by_heart: tuple[Examples, Path]) -> None:
    examples, model = known_by_heart
    part = examples.evaluation_split("validation")
    base = float((part.labels == 1).sum() / (part.labels >= 0).sum())
    held_out = average_precision(split_risks(examples, model, "validation"), part.labels)
    rows = np.array(examples.array("validation"))
    scored, scorer = rows >= 0, Scorer(model)
    peeking = np.full(len(rows), np.nan)
    source = Dataset.open(Path(examples.sources["validation"]))
    peeking[scored] = scorer.score(gather(source, scorer.card.features, rows[scored]))
    assert average_precision(peeking, part.labels) > 1.8 * base  # the model itself has seen these devices
    assert held_out < 1.4 * base
    assert (np.isnan(split_risks(examples, model, "validation")) == ~scored).all()


def test_baselines_are_cross_fitted_too(
    known_by_heart: tuple[Examples, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    examples, _ = known_by_heart
    main, clock, static = examples.labelled[0], [], []
    plain_clock, plain_static = clock_baseline._fit, assessment._fitted_baseline
    monkeypatch.setattr(clock_baseline, "_fit", lambda *a: (clock.append(a[1]), plain_clock(*a))[1])
    monkeypatch.setattr(assessment, "_fitted_baseline", lambda *a: (static.append(a[0]), plain_static(*a))[1])
    risks = clock_baseline.clock_risks(examples)["validation"]
    _, assessed, _ = assessment.assess_baseline(examples, AlertSettings())
    fitted = [main.split.rows(TRAIN), *(main.fold_rows(fold) for fold in range(examples.folds))]
    assert [rows.tolist() for rows in clock] == [rows.tolist() for rows in fitted]
    assert static == [examples.rows_of_fit(), *(examples.rows_of_fit(fold) for fold in range(examples.folds))]
    assert (np.isnan(risks) == (np.array(examples.array("validation")) < 0)).all()
    assert np.isfinite(assessed.policy.threshold)


def test_the_choice_of_features_does_not_peek(tmp_path: Path) -> None:
    """Of 300 columns of noise some fit the labels of a fold by chance: chosen with them, figures would be good."""
    dataset = make_dataset(tmp_path / "features", devices=8)
    random = np.random.default_rng(0)
    for part in dataset.parts:
        table = pq.read_table(part)
        for name in [name for name in table.column_names if name.startswith(("cpu", "loss"))]:
            table = table.set_column(
                table.column_names.index(name), name, pa.array(random.normal(size=table.num_rows))
            )
        pq.write_table(table, part)
    settings = replace(SETTINGS, max_features=2)
    examples = prepare_examples(dataset, settings, tmp_path / "work")
    chosen = {examples.rows_of_fit(fold).names for fold in range(examples.folds)}
    assert all(len(names) == 2 for names in chosen)
    assert len(chosen) > 1
    model = trained(examples, tmp_path / "model")
    part = examples.evaluation_split("validation")
    base = float((part.labels == 1).sum() / (part.labels >= 0).sum())
    assert average_precision(split_risks(examples, model, "validation"), part.labels) < 1.5 * base


def test_another_machine_has_the_risks_of_the_folds(tmp_path: Path, known_by_heart: tuple[Examples, Path]) -> None:
    """A later stage on a cluster makes the examples again; scored by the model itself, validation would be seen."""
    examples, model = known_by_heart
    shutil.copytree(examples.sources["validation"], tmp_path / "features")
    shutil.copytree(model, tmp_path / "model")
    again = prepare_examples(
        Dataset.open(tmp_path / "features"), replace(SETTINGS, split="device"), tmp_path / "work"
    )
    assert again.key != examples.key
    found = split_risks(again, tmp_path / "model", "validation")
    np.testing.assert_array_equal(found, split_risks(examples, model, "validation"))
    assert (tmp_path / "model" / HELD_OUT).stat().st_size < 100_000


def test_the_model_is_fitted_on_both_and_its_card_says_so(known_by_heart: tuple[Examples, Path]) -> None:
    examples, model = known_by_heart
    card = read_card(model)
    assert card.split["folds"] == examples.folds == 4
    devices = card.split["devices"]
    assert len(devices[0]) > 25
    assert devices[1] == []
    assert not unseen_by(card, examples.evaluation_split("validation")).any()
    assert unseen_by(card, examples.evaluation_split("test")).all()
    assert not np.array(examples.array("early")).any()
    assert all(examples.rows_of_fit(fold).array("early").any() for fold in range(4))
    assert 1 <= card.iterations <= 60


def test_the_model_has_the_median_of_the_folds_iterations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = make_dataset(tmp_path / "features", devices=8)
    examples = prepare_examples(dataset, SETTINGS, tmp_path / "work")
    seen, plain = [], XGBoost.fit

    def counted(self: XGBoost, data, seed, threads):
        fitted = plain(self, data, seed, threads)
        seen.append((self.n_estimators, data.stops_early, fitted.iterations))
        return fitted

    monkeypatch.setattr(XGBoost, "fit", counted)
    trained(examples, tmp_path / "model")
    *folds, last = seen
    assert [entry[:2] for entry in folds] == [(60, True)] * examples.folds
    assert last[0] == last[2] == round(float(np.median([entry[2] for entry in folds])))
    assert not last[1]


def test_a_cross_fitted_champion_of_a_split_by_time_has_seen_validation(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "features", devices=8)
    examples = prepare_examples(dataset, SETTINGS, tmp_path / "work")
    card = read_card(trained(examples, tmp_path / "model"))
    assert card.split["folds"] >= 2
    validation = examples.evaluation_split("validation")
    assert not unseen_by(card, validation).any()
    assert validation.sequences.timestamps.max() + INTERVAL < card.split["boundaries"][1]
