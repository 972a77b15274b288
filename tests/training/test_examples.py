"""Examples: what is fitted on and what is scored."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from netops.alerting.sequences import Incidents, Sequences
from netops.config.durations import MINUTE
from netops.errors import NetopsError
from netops.telemetry.dataset import TEST as TEST_FOLDER
from netops.telemetry.dataset import Dataset, matrix_of
from netops.training.examples import Examples, prepare_examples
from netops.training.nearness import nearness
from netops.training.rows import gather, pieces
from netops.training.settings import TrainingSettings
from netops.training.splits import TEST, TRAIN, VALIDATION
from tests.training.synthetic import make_dataset, spec

SETTINGS = TrainingSettings(horizon=5 * MINUTE, cross_fit="never", max_rows=5_000)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="module")
def examples(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return prepare_examples(dataset, SETTINGS, tmp_path_factory.mktemp("work"))


def whole(dataset: Dataset, names: tuple[str, ...]) -> np.ndarray:
    return np.concatenate([matrix_of(table, list(names)) for table in dataset.tables()])


def test_training_rows_come_from_the_training_part_alone(dataset: Dataset, examples: Examples) -> None:
    main = examples.labelled[0]
    train = main.split.rows(TRAIN) & (main.labels >= 0)
    every = whole(dataset, examples.names)
    known = {row.tobytes(): label for row, label in zip(every[train], main.labels[train], strict=True)}
    labels = [known[row.tobytes()] for row in np.array(examples.array("features"))]
    np.testing.assert_array_equal(labels, examples.array("labels"))
    assert sum(labels) == (main.labels[train] == 1).sum()


def test_weighted_base_rate_is_the_true_one(examples: Examples) -> None:
    main = examples.labelled[0]
    train = main.split.rows(TRAIN) & (main.labels >= 0)
    labels, weights = examples.array("labels"), examples.array("weights")
    assert len(labels) == SETTINGS.max_rows
    assert (labels * weights).sum() / weights.sum() == pytest.approx(main.labels[train].mean())
    assert examples.info["data"]["base_rate"] == pytest.approx(main.labels[train].mean())


def test_constant_features_are_left_out(examples: Examples) -> None:
    assert "loss_missing_1m" in spec().names
    assert "loss_missing_1m" not in examples.names
    assert set(examples.names) == set(examples.info["background"]["quantiles"])


def test_scored_rows_are_those_of_the_parts(examples: Examples) -> None:
    main = examples.labelled[0]
    for name, part in (("validation", VALIDATION), ("test", TEST)):
        rows = np.array(examples.array(name))
        np.testing.assert_array_equal(np.where(rows < 0, ~rows, rows), np.flatnonzero(main.split.rows(part)))
        assert len(rows) == len(examples.evaluation_split(name).sequences)
        np.testing.assert_array_equal(rows < 0, examples.evaluation_split(name).inside)


def test_early_stopping_rows_hold_both_classes(examples: Examples) -> None:
    early, labels = np.array(examples.array("early")), np.array(examples.array("labels"))
    assert 0.05 < early.mean() < 0.5
    for part in (early, ~early):
        assert 0 < labels[part].sum() < part.sum()


def test_created_once_for_concurrent_requests(dataset: Dataset, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: prepare_examples(dataset, SETTINGS, tmp_path), range(3)))
    assert len({one.folder for one in made}) == 1
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1
    other = prepare_examples(dataset, replace(SETTINGS, seed=1), tmp_path)
    assert other.folder != made[0].folder


def test_same_seed_same_bytes(dataset: Dataset, examples: Examples, tmp_path: Path) -> None:
    again = prepare_examples(dataset, SETTINGS, tmp_path)
    for path in sorted(examples.folder.glob("*.np[yz]")):
        assert (again.folder / path.name).read_bytes() == path.read_bytes()


def test_parts_of_the_files_do_not_matter(examples: Examples, tmp_path: Path) -> None:
    other = prepare_examples(make_dataset(tmp_path / "features", parts=1), SETTINGS, tmp_path)
    assert other.info["data"]["fingerprint"] == examples.info["data"]["fingerprint"]


def test_wide_data_are_narrowed(dataset: Dataset, tmp_path: Path) -> None:
    few = prepare_examples(dataset, replace(SETTINGS, max_features=4, max_values=100_000), tmp_path)
    assert len(few.names) == 4
    assert "cpu_mean_1m" in few.names
    assert few.array("features").shape == (5_000, 4)


def test_separate_test_telemetry(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "features")
    make_dataset(tmp_path / "features" / TEST_FOLDER, devices=3, seed=9)
    examples = prepare_examples(Dataset.open(dataset.path), SETTINGS, tmp_path)
    assert examples.sources["test"].endswith(TEST_FOLDER)
    assert len(examples.evaluation_split("test").sequences.devices) == 3
    assert not (examples.labelled[0].split.of_row == TEST).any()


def test_refuses_what_cannot_be_learned(tmp_path: Path) -> None:
    failed = make_dataset(tmp_path / "failed", devices=2, rows=100, every=10_000, parts=1)
    (path,) = failed.parts
    table = pq.read_table(path)
    index = table.column_names.index("is_error")
    pq.write_table(table.set_column(index, "is_error", pa.array(np.ones(table.num_rows, bool))), path)
    with pytest.raises(NetopsError, match="one class only") as error:
        prepare_examples(failed, SETTINGS, tmp_path)
    assert "\n" not in str(error.value)
    assert not any(path.is_dir() and "examples" in path.name for path in tmp_path.iterdir())


def test_reading_in_pieces_equals_reading_at_once(dataset: Dataset) -> None:
    names = ("loss", "not_there", "cpu")
    rows = np.sort(np.random.default_rng(0).choice(24_000, 5_000, replace=False))
    matrix = gather(dataset, names, rows)
    np.testing.assert_array_equal(matrix[:, [0, 2]], whole(dataset, ("loss", "cpu"))[rows])
    assert np.isnan(matrix[:, 1]).all()
    seen = np.full(matrix.shape, np.inf)
    for piece, values in pieces(dataset, names, rows):
        seen[piece] = values
    np.testing.assert_array_equal(seen, matrix)


def test_samples_near_their_failure_weigh_more(dataset: Dataset, tmp_path: Path) -> None:
    examples = prepare_examples(dataset, replace(SETTINGS, nearness=True), tmp_path)
    labels, near = np.array(examples.array("labels")) == 1, np.array(examples.array("nearness"))
    assert (near[~labels] == 1).all()
    assert near[labels].mean() == pytest.approx(1)
    assert near[labels].max() > 5 * near[labels].min()


def test_nearness_is_the_time_to_the_next_incident_by_the_horizon() -> None:
    times = np.array([0, 10, 40, 50, 90, 0, 5], np.int64)
    sequences = Sequences(("a", "b"), np.array([0, 5, 7], np.int64), times)
    incidents = Incidents.of(2, [0, 0], [50, 100], [60, 110])
    positive = np.array([False, True, True, False, True, False, True])
    found = nearness(sequences, incidents, np.arange(7), positive, horizon=50)
    expected = np.array([0.1 + 2 * (1 - 40 / 50), 0.1 + 2 * (1 - 10 / 50), 0.1 + 2 * (1 - 10 / 50)])
    np.testing.assert_allclose(found[[1, 2, 4]], expected / expected.mean())
    assert (found[[0, 3, 5, 6]] == 1).all()  # the last is positive, but no incident of its device is known


def test_without_nearness_all_samples_weigh_the_same(examples: Examples) -> None:
    assert (np.array(examples.array("nearness")) == 1).all()
