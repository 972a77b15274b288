import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from netops.config.durations import HOUR, SECOND
from netops.errors import NetopsError, UsageError
from netops.simulator import writing
from netops.simulator.generate import generate, generate_arrays
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.dataset import Dataset, rows_of
from netops.telemetry.incidents import incidents_of
from tests.simulator.examples import DEFAULT, ROOT, START, digest, rich, table, write


def test_folder_is_a_dataset(tmp_path: Path) -> None:
    dataset = write(rich(), tmp_path / "out")
    opened = Dataset.open(tmp_path / "out")
    assert opened.meta == dataset.meta
    samples = table(opened)
    assert opened.meta.samples == samples.num_rows
    assert opened.meta.devices == 6
    assert opened.meta.metrics == ("load", "load_max", "load_min", "loss", "flow", "count")
    assert opened.meta.attributes == ("company", "data_center", "model", "age")
    assert opened.meta.interval_seconds == 5
    assert opened.meta.incidents == opened.incidents().num_rows > 0
    assert {name for name in os.listdir(tmp_path / "out") if not name.startswith("_")} == {"part-00000.parquet"}


def test_samples_are_sorted_by_device_and_time(tmp_path: Path) -> None:
    for part in write(rich(), tmp_path / "out").tables():
        rows = rows_of(part)
        assert len(set(rows.devices)) == len(rows.devices)
        for a, b in zip(rows.offsets[:-1], rows.offsets[1:], strict=True):
            assert (np.diff(rows.timestamps[a:b]) >= 0).all()


def test_incidents_are_the_runs_of_is_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "GROUP", 1000)
    dataset = write(rich(), tmp_path / "out")
    found = []
    for part in dataset.tables():
        rows, flags = rows_of(part), part.column("is_error").to_numpy()
        for device, a, b in zip(rows.devices, rows.offsets[:-1], rows.offsets[1:], strict=True):
            starts, ends = incidents_of(rows.timestamps[a:b], flags[a:b])
            found += [(device, s, e, e > rows.timestamps[b - 1]) for s, e in zip(starts, ends, strict=True)]
    recorded = dataset.incidents().to_pylist()
    assert len(recorded) == len(found) > 20
    for row, (device, start, end, is_open) in zip(recorded, found, strict=True):
        assert (row["device"], row["start"].value) == (device, start)
        assert is_open or row["end"].value == end
        assert row["precursor_start"].value <= start + 5 * SECOND
        assert row["cause_metric"] == "load"


def test_configuration_and_seed_are_in_the_files(tmp_path: Path) -> None:
    dataset = write(rich(), tmp_path / "out", seed=77)
    recorded = json.loads(pq.read_schema(dataset.parts[0]).metadata[b"netops.generator"])
    assert recorded == dataset.meta.details["generator"]
    assert recorded["seed"] == 77
    assert recorded["settings"]["metrics"]["load"]["accuracy"] == 2


def test_second_run_keeps_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "GROUP", 6000)
    dataset = write(rich(), tmp_path / "out")
    whole = digest(dataset)
    stamps = {part: part.stat().st_mtime_ns for part in dataset.parts}
    write(rich(), tmp_path / "out")
    assert {part: part.stat().st_mtime_ns for part in dataset.parts} == stamps
    assert whole == digest(dataset)


def test_an_interrupted_run_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "GROUP", 6000)
    whole = digest(write(rich(), tmp_path / "whole"))

    class PowerCut(BaseException):
        pass

    def cut(done: int, total: int, what: str) -> None:
        raise PowerCut

    with pytest.raises(PowerCut):
        write(rich(), tmp_path / "out", progress=cut)
    assert not (tmp_path / "out" / "_meta.json").exists()
    (tmp_path / "out" / ".part-00001.parquet.123.tmp").write_bytes(b"half")
    assert digest(write(rich(), tmp_path / "out")) == whole
    assert not list((tmp_path / "out").glob(".*"))
    assert not list((tmp_path / "out").glob("_incidents-*"))


def test_a_killed_run_leaves_no_partial_file_and_resumes(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from netops.simulator.generate import generate\n"
        "from netops.simulator.settings import GeneratorSettings\n"
        f"s = GeneratorSettings.from_yaml({str(DEFAULT)!r})\n"
        f"generate(s, Path(sys.argv[1]), devices=150, duration={12 * HOUR}, start={START}, seed=1)"
    )
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", program, str(out)], cwd=ROOT)
    deadline = time.monotonic() + 120
    while len(list(out.glob("part-*"))) < 1 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for part in out.glob("part-*.parquet"):
        assert pq.read_table(part, columns=["timestamp"]).num_rows > 0
    settings = GeneratorSettings.from_yaml(DEFAULT)
    arguments = {"devices": 150, "duration": 12 * HOUR, "start": START, "seed": 1}
    dataset = generate(settings, out, **arguments)  # type: ignore[arg-type]
    assert dataset.meta.samples == 150 * 12 * 720
    assert table(dataset).num_rows == dataset.meta.samples


@pytest.mark.parametrize("change", [{"seed": 6}, {"devices": 7}, {"duration": HOUR}, {"start": START + 1}])
def test_other_settings_in_the_same_folder_are_refused(change: dict[str, int], tmp_path: Path) -> None:
    write(rich(), tmp_path / "out")
    with pytest.raises(UsageError, match="other settings") as caught:
        write(rich(), tmp_path / "out", **change)
    assert "\n" not in str(caught.value)


def test_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="was not created by the generator"):
        write(rich(), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("arguments", [{"devices": 0}, {"duration": 1}])
def test_nothing_to_generate_is_refused(arguments: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one"):
        write(rich(), tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NetopsError, match="file") as caught:
        write(rich(), tmp_path / "file" / "out")
    assert "\n" not in str(caught.value)


def test_scenario_that_is_too_long_is_refused(tmp_path: Path) -> None:
    configuration = {**rich(), "scenarios": {"degradation": {"duration": "30d"}}}
    with pytest.raises(UsageError, match="degradation: 518400 ticks"):
        write(configuration, tmp_path / "out")


def test_arrays_hold_what_files_hold(tmp_path: Path) -> None:
    configuration = {**rich(), "faults": {}, "timestamps": {}}
    del configuration["scenarios"]["new_device_class"]
    samples = table(write(configuration, tmp_path / "out"))
    settings = GeneratorSettings.from_yaml(configuration)
    arrays = generate_arrays(settings, devices=6, duration=4 * HOUR, start=START, seed=5)
    assert arrays.values.shape == (6, 2880, 6)
    for index, metric in enumerate(arrays.metrics):
        np.testing.assert_array_equal(samples.column(metric).to_numpy(), arrays.values[:, :, index].ravel())
    np.testing.assert_array_equal(samples.column("is_error").to_numpy(), arrays.errors.ravel())
    np.testing.assert_array_equal(samples.column("loss_is_error").to_numpy(), arrays.metric_errors[:, :, 1].ravel())


def test_faults_are_what_they_say(tmp_path: Path) -> None:
    configuration = {**rich(), "scenarios": {}, "timestamps": {"stochastic_interval": False}}
    samples = table(write(configuration, tmp_path / "out", devices=4)).to_pandas()
    expected = 4 * 2880
    assert samples.drop_duplicates(["device", "timestamp"]).shape[0] == pytest.approx(expected * 0.98, rel=0.01)
    assert samples.duplicated(["device", "timestamp"]).mean() == pytest.approx(0.02, abs=0.007)
    off = (samples["timestamp"].astype("int64") - START) / (5 * SECOND)
    assert 0.05 < (off - off.round()).abs().max() <= 0.1
    late = (samples["arrived"] - samples["timestamp"]).dt.total_seconds()
    assert (late > 1).mean() == pytest.approx(0.02, abs=0.007)
    assert late.max() < 31


def test_stochastic_interval_varies_the_time_between_samples(tmp_path: Path) -> None:
    configuration = {**rich(), "scenarios": {}, "faults": {}}
    times = table(write(configuration, tmp_path / "out", devices=1)).column("timestamp").to_numpy().astype("int64")
    steps = np.diff(times) / SECOND
    assert steps.min() > 2.4
    assert steps.max() < 7.6
    assert steps.mean() == pytest.approx(5, abs=0.01)
    assert steps.std() > 0.5


def test_extremes_enclose_the_value(tmp_path: Path) -> None:
    samples = table(write({**rich(), "scenarios": {}}, tmp_path / "out"))
    value, high, low = (samples.column(name).to_numpy() for name in ("load", "load_max", "load_min"))
    assert (low <= value).all()
    assert (value <= high).all()
    assert (high > value).mean() > 0.9


def test_poisson_metric_is_poisson(tmp_path: Path) -> None:
    metric = {"distribution": "poisson", "distribution_params": {"lam": 7.5}}
    for smoothness in (0, 0.5):
        configuration = {"metrics": {"count": {**metric, "smoothness": smoothness}}, "scenarios": {}}
        values = table(write(configuration, tmp_path / str(smoothness))).column("count").to_numpy()
        assert (values == np.rint(values)).all()
        assert values.mean() == pytest.approx(7.5, abs=0.2)
        assert values.var() == pytest.approx(7.5, abs=0.6)


def test_past_based_value_is_a_walk_within_its_steps(tmp_path: Path) -> None:
    metric = {
        "distribution_params": {"mu": 0, "sigma": 3},
        "past_based_value": True,
        "validation": {"distribution": {"min": -1, "max": 1, "validate": True}},
    }
    values = table(write({"metrics": {"walk": metric}, "scenarios": {}}, tmp_path / "out", devices=1))
    steps = np.diff(values.column("walk").to_numpy())
    assert np.abs(steps).max() == pytest.approx(1)
    assert (np.abs(steps) > 0.999).mean() > 0.5
