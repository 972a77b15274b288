"""Training rows on disk: written, read and fitted in pieces."""

import gc
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from netops.config.durations import MINUTE
from netops.models.card import ModelCard
from netops.models.onnx_file import Scorer
from netops.models.scaling import Scaling
from netops.telemetry.dataset import Dataset
from netops.training import matrix
from netops.training.columns import feature_names
from netops.training.examples import Examples, prepare_examples
from netops.training.families.pages import _made
from netops.training.families.protocol import FitData
from netops.training.families.xgboost import XGBoost
from netops.training.fitting import Job, fit, score_rows, score_splits
from netops.training.matrix import ScaledMatrix, keep_columns, read_pieces, write_matrix
from netops.training.rows import gather, spread
from netops.training.search import evaluate_trial
from netops.training.settings import TrainingSettings
from netops.training.train import split_risks
from tests.training.synthetic import make_dataset

TREES = XGBoost(n_estimators=30, max_depth=4, learning_rate=0.2)
SETTINGS = TrainingSettings(horizon=5 * MINUTE, cross_fit="never")
#: The smallest that there is room for: some thousand rows.
LITTLE = 40_000


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("matrix") / "features")


@pytest.fixture(scope="module")
def examples(dataset: Dataset) -> Examples:
    return prepare_examples(dataset, SETTINGS, dataset.path.parent)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pieces of the small examples."""
    monkeypatch.setattr(matrix, "PIECE", 24_000)


def fitted(examples: Examples, out: Path, family: str = "xgboost", **changes: object) -> ModelCard:
    params = {"xgboost": asdict(TREES), "sklearn": {"max_iter": 20}}[family]
    return fit(replace(Job(str(examples.folder), "demo", family, params, 0, 1, str(out)), **changes))  # type: ignore[arg-type]


def test_a_matrix_is_written_as_it_would_be_held(dataset: Dataset, tmp_path: Path) -> None:
    names, rows = (*feature_names(dataset), "not_there"), np.arange(5, 20_000, 3)
    varies = write_matrix(tmp_path / "m.npy", dataset, names, rows)
    expected = gather(dataset, names, rows)
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), expected)
    assert {name for name, moves in zip(names, varies, strict=True) if not moves} == {
        "not_there",
        "loss_missing_1m",
    }
    keep_columns(tmp_path / "m.npy", varies)
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), expected[:, varies])
    pieces = list(read_pieces(tmp_path / "m.npy"))
    assert len(pieces) > 1
    np.testing.assert_array_equal(np.concatenate(pieces), expected[:, varies])
    assert [path.name for path in tmp_path.iterdir()] == ["m.npy"]


def test_pieces_are_the_parts(examples: Examples) -> None:
    scaling = Scaling.fit(examples.array("features"), 1e9, fill=False)
    arrays = [np.array(examples.array(name)) for name in ("labels", "weights", "early")]
    source = ScaledMatrix(examples.folder / "features.npy", scaling, examples.array("features").shape)
    on_disk = FitData(source, *arrays)
    held = FitData(scaling.apply(np.array(examples.array("features"))), *arrays)
    assert on_disk.on_disk
    assert not held.on_disk
    for early in (False, True):
        pieces = list(on_disk.pieces(early))
        assert len(pieces) > 1
        for found, expected in zip(zip(*pieces, strict=True), held.subset(early), strict=True):
            np.testing.assert_array_equal(np.concatenate(found), expected)
    model = TREES.fit(held, 0, 1)
    assert evaluate_trial(model, on_disk) == pytest.approx(evaluate_trial(model, held), abs=1e-12)


def test_xgboost_learns_the_same_from_disk(examples: Examples, tmp_path: Path) -> None:
    held = fitted(examples, tmp_path / "held")
    pieces = fitted(examples, tmp_path / "pieces", memory_values=LITTLE)
    assert held.data["read"] == "memory"
    assert pieces.data["read"] == "pieces"
    assert pieces.data["fitted_rows"] == held.data["fitted_rows"] == len(examples.array("labels"))
    for part in ("validation", "test"):
        labels = examples.evaluation_split(part).labels
        means = [split_risks(examples, tmp_path / name, part)[labels == 1].mean() for name in ("held", "pieces")]
        assert means[1] == pytest.approx(means[0], rel=0.05)
    again = fitted(examples, tmp_path / "again", memory_values=LITTLE)
    assert again.version == pieces.version


def test_one_piece_gives_the_very_model_of_memory(
    examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bins, draws and trees are the same; only how a feature's values are summed up over pieces may differ."""
    monkeypatch.setattr(matrix, "PIECE", 10_000_000)
    versions = {fitted(examples, tmp_path / str(room), memory_values=room).version for room in (LITTLE, 10**9)}
    assert len(versions) == 1


def test_a_search_reads_from_disk_too_and_leaves_no_pages(examples: Examples, tmp_path: Path) -> None:
    reported: list[object] = []
    job = Job(str(examples.folder), "demo", "xgboost", asdict(TREES), 0, 1, str(tmp_path / "m"), trials=2)
    card = fit(replace(job, memory_values=LITTLE), on_trial=reported.append)
    assert card.data["read"] == "pieces"
    assert len(reported) == 2
    gc.collect()
    assert not list(examples.folder.glob(".pages-*"))
    assert not len(_made)


def test_other_families_thin_and_say_so(examples: Examples, tmp_path: Path) -> None:
    card = fitted(examples, tmp_path / "model", "sklearn", memory_values=LITTLE)
    assert card.data["read"] == "memory"
    assert card.data["fitted_rows"] == LITTLE // len(examples.names) < len(examples.array("labels"))
    # Thinned rows count for those left out, so that risks stay probabilities of the whole.
    rows = gather(Dataset.open(Path(examples.sources["validation"])), examples.names, np.arange(24_000))
    risks = Scorer(tmp_path / "model").score(rows)
    assert risks.mean() == pytest.approx(card.data["base_rate"], rel=0.5)


_PEAK = """
import json, sys, threading, time
from netops.training.fitting import Job, fit
import xgboost, onnxruntime, onnx
from netops.training import matrix
matrix.PIECE = 400_000
def anonymous():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("RssAnon")) / 1024
before = peak = anonymous()
def watch():
    global peak
    while True:
        peak = max(peak, anonymous()); time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
fit(Job(**json.loads(sys.argv[1])))
print(peak - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_below_what_the_rows_would_take(examples: Examples, tmp_path: Path) -> None:
    """500,000 rows of 11 features: 22 MB scaled, of which memory would hold two copies, and bins."""
    wide = tmp_path / "wide"
    wide.mkdir()
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500_000, len(examples.names)))
    labels = (features[:, 0] + rng.normal(size=len(features)) > 3).astype(np.float32)
    ones = np.ones(len(labels))
    arrays = {"features": features, "labels": labels, "weights": ones, "nearness": ones, "early": labels < 0}
    for name, values in arrays.items():
        np.save(wide / f"{name}.npy", values)
    for name in ("examples.json", "validation.npy", "validation-labels.npy", "test.npy"):
        (wide / name).write_bytes((examples.folder / name).read_bytes())
    job = Job(str(wide), "demo", "xgboost", asdict(replace(TREES, n_estimators=3)), 0, 1, str(tmp_path / "model"))

    def peak(room: int) -> float:
        command = [sys.executable, "-c", _PEAK, json.dumps(asdict(replace(job, memory_values=room)))]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert peak(1_000_000) < peak(10**9) / 2, peak(10**9)


def test_splits_are_scored_together_as_one_by_one(dataset: Dataset, examples: Examples) -> None:
    def score(of: Dataset, rows: np.ndarray) -> np.ndarray:
        return score_rows(lambda features: features.sum(axis=1), of, examples.names, rows)

    rows = {split: np.array(examples.array(split)) for split in ("validation", "test")}
    assert any((some < 0).any() for some in rows.values())  # inside incidents
    sources = dict.fromkeys(rows, dataset.path)
    together = score_splits(score, sources, rows)
    assert together.keys() == rows.keys()
    for split, some in rows.items():
        assert np.isnan(together[split][some < 0]).all()
        np.testing.assert_array_equal(together[split], score(dataset, some))


def test_some_rows_are_of_few_row_groups(dataset: Dataset) -> None:
    rows = np.arange(0, dataset.meta.samples, 3)
    chosen = spread(dataset, rows, 100)
    assert 100 <= len(chosen) < 200
    assert (np.diff(chosen) > 0).all()
    assert len(spread(dataset, rows[:0], 100)) == 0
