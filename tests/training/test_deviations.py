"""The model without labels: fitted on what the training split holds, whatever the labels say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from netops.config.durations import MINUTE
from netops.errors import FewLabelsError, NetopsError
from netops.models.deviations import DEVIATIONS, KNEE
from netops.models.onnx_file import MODEL_FILE, Scorer
from netops.telemetry.dataset import TEST as TEST_FOLDER
from netops.telemetry.dataset import Dataset, finish
from netops.training.deviations import build_deviations, deviation_risks, fit_deviations
from netops.training.examples import Examples, prepare_examples
from netops.training.rows import gather
from netops.training.settings import TrainingSettings
from netops.training.splits import TEST, TRAIN, VALIDATION
from netops.training.train import split_risks
from tests.training.synthetic import make_dataset

SETTINGS = TrainingSettings(horizon=5 * MINUTE)
BY_DEVICE = TrainingSettings(horizon=5 * MINUTE, split="device")


def test_centre_spread_and_tail_are_those_of_the_samples() -> None:
    rng = np.random.default_rng(0)
    cpu, mean = rng.standard_t(3, 5_000) * 4 + 30, rng.normal(30, 1, 5_000)
    counter = np.where(rng.random(5_000) < 0.08, rng.exponential(50, 5_000), 0.0)
    values = np.column_stack([cpu, mean, counter])
    values[:50, 0] = np.nan
    fitted = fit_deviations(values, [(0, 1), (2, None)])
    past = (cpu - mean)[50:]
    np.testing.assert_allclose(fitted.scaling.centre, [np.median(cpu[50:]), 0.0, np.median(past)])
    iqr = [stats.iqr(cpu[50:]) / 1.349, stats.iqr(counter, rng=(5, 95)) / 3.29, stats.iqr(past) / 1.349]
    np.testing.assert_allclose(fitted.scaling.spread, iqr)
    # The odds are straight through the tail: of ten samples one reaches 1e-3, of fifty one 5e-3.
    odds = np.log(fitted.predict(values) / (1 - fitted.predict(values)))
    np.testing.assert_allclose(np.quantile(odds, 0.9), np.log(1e-4 / 0.1), atol=1e-3)
    np.testing.assert_allclose(np.quantile(odds, 0.98), np.log(1e-4 / 0.02), atol=1e-3)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("features"))


def relabelled(source: Dataset, out: Path, how: str) -> Dataset:
    """Copy a dataset whose labels are erased, or moved to other samples."""
    out.mkdir()
    for path in source.path.iterdir():
        if path.suffix != ".parquet":
            (out / path.name).write_bytes(path.read_bytes())
    for path in source.parts:
        table = pq.read_table(path)
        index, old = table.column_names.index("is_error"), table["is_error"].to_numpy(zero_copy_only=False)
        new = np.zeros_like(old) if how == "erased" else np.random.default_rng(1).permutation(old)
        table = table.set_column(index, "is_error", pa.array(new))
        pq.write_table(table, out / path.name)
    incidents = source.incidents().slice(0, 1 if how == "moved" else 0)
    return finish(out, replace(source.meta, incidents=len(incidents)), incidents)


def trained(examples: Examples, out: Path) -> bytes:
    build_deviations(examples, out, network="demo")
    return (out / MODEL_FILE).read_bytes()


@pytest.mark.parametrize("settings", [SETTINGS, BY_DEVICE], ids=["time", "device"])
def test_no_label_changes_the_model(labelled: Dataset, tmp_path: Path, settings: TrainingSettings) -> None:
    models, risks = [], []
    for how in ("erased", "moved"):
        dataset = relabelled(labelled, tmp_path / how, how)
        examples = prepare_examples(dataset, settings, tmp_path / f"{how}-work")
        assert not examples.supervised
        models.append(trained(examples, tmp_path / f"{how}-model"))
        risks.append(split_risks(examples, tmp_path / f"{how}-model", "test"))
    assert models[0] == models[1]
    np.testing.assert_array_equal(risks[0], risks[1])


@pytest.fixture(scope="module")
def healthy(labelled: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Examples:
    work = tmp_path_factory.mktemp("healthy")
    return prepare_examples(relabelled(labelled, work / "features", "erased"), SETTINGS, work)


def test_the_examples_have_no_label(healthy: Examples) -> None:
    with pytest.raises(FewLabelsError, match="no incident is recorded"):
        healthy.require_labels()
    (main,) = healthy.labelled
    shares = [main.split.rows(split).mean() for split in (TRAIN, VALIDATION, TEST)]
    np.testing.assert_allclose(shares, [0.6, 0.2, 0.2], atol=0.01)
    for split in ("validation", "test"):
        assert (healthy.evaluation_split(split).labels == -1).all()
        assert not len(healthy.evaluation_split(split).incidents)
        assert (np.array(healthy.array(split)) >= 0).all()
    assert healthy.names == ("cpu", "cpu_mean_1m", "loss", "loss_mean_1m")
    assert not np.array(healthy.array("labels")).any()
    assert Examples.open(healthy.folder).supervised is False


def test_the_file_gives_the_stored_risks(healthy: Examples, tmp_path: Path) -> None:
    card = build_deviations(healthy, tmp_path / "model", network="demo")
    assert (card.family, card.supervised, card.threshold) == (DEVIATIONS, False, None)
    assert card.agreement < 1e-6
    assert card.params["knee"] == KNEE
    assert card.calibration["method"] is None
    rows = np.array(healthy.array("test"))
    features = gather(Dataset.open(Path(healthy.sources["test"])), card.features, rows)
    expected = Scorer(tmp_path / "model").score(features)
    np.testing.assert_array_equal(split_risks(healthy, tmp_path / "model", "test"), expected)
    np.testing.assert_allclose(deviation_risks(healthy)["test"], expected, atol=1e-6)


def test_it_ranks_what_precedes_incidents(labelled: Dataset, tmp_path: Path) -> None:
    examples = prepare_examples(labelled, SETTINGS, tmp_path)
    assert examples.supervised
    split, risks = examples.evaluation_split("test"), deviation_risks(examples)["test"]
    positive, negative = risks[split.labels == 1], risks[split.labels == 0]
    assert stats.mannwhitneyu(positive, negative).statistic / (len(positive) * len(negative)) > 0.6


@pytest.mark.parametrize("value", [3.0, np.nan])
def test_a_metric_that_never_varies_is_left_out(labelled: Dataset, tmp_path: Path, value: float) -> None:
    dataset = relabelled(labelled, tmp_path / "features", "erased")
    for path in dataset.parts:
        table = pq.read_table(path)
        for name in ("loss", "loss_mean_1m"):
            index = table.column_names.index(name)
            table = table.set_column(index, name, pa.array(np.full(table.num_rows, value)))
        pq.write_table(table, path)
    examples = prepare_examples(Dataset.open(dataset.path), SETTINGS, tmp_path)
    assert examples.names == ("cpu", "cpu_mean_1m")
    assert build_deviations(examples, tmp_path / "model", network="demo").features == examples.names


def test_telemetry_without_a_metric_that_varies_is_refused(labelled: Dataset, tmp_path: Path) -> None:
    dataset = relabelled(labelled, tmp_path / "features", "erased")
    for path in dataset.parts:
        table = pq.read_table(path)
        for index, name in enumerate(table.column_names):
            if name.startswith(("cpu", "loss")):
                table = table.set_column(index, name, pa.array(np.full(table.num_rows, 3.0)))
        pq.write_table(table, path)
    with pytest.raises(NetopsError, match="no feature varies"):
        prepare_examples(Dataset.open(dataset.path), SETTINGS, tmp_path)


def test_separate_test_telemetry_needs_no_incident(labelled: Dataset, tmp_path: Path) -> None:
    main = relabelled(labelled, tmp_path / "features", "erased")
    relabelled(labelled, main.path / TEST_FOLDER, "erased")
    examples = prepare_examples(Dataset.open(main.path), SETTINGS, tmp_path)
    assert not examples.supervised
    assert not (examples.labelled[0].split.of_row == TEST).any()
    assert len(examples.array("test")) == 24_000


def test_labels_that_suffice_by_device_are_not_ignored(tmp_path: Path) -> None:
    few = make_dataset(tmp_path / "features", devices=4, rows=400, every=300, parts=1)
    with pytest.raises(NetopsError, match="--split device works") as error:
        prepare_examples(few, SETTINGS, tmp_path)
    assert not isinstance(error.value, FewLabelsError)


def test_too_few_devices_for_a_split_are_refused(tmp_path: Path) -> None:
    two = make_dataset(tmp_path / "features", devices=2, rows=400, every=10_000, parts=1)
    with pytest.raises(NetopsError, match="2 devices are too few"):
        prepare_examples(two, BY_DEVICE, tmp_path)
    assert not any(path.is_dir() and "examples" in path.name for path in tmp_path.iterdir())
