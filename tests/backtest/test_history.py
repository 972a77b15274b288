"""A history, with what people recorded of it."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from netops.backtest.history import History
from netops.config.durations import HOUR, MINUTE
from netops.feedback.records import Feedback, Incident, Verdict
from netops.serving.decode.times import iso
from netops.telemetry.dataset import Dataset
from netops.telemetry.settings import TelemetrySettings
from netops.workflows.stages.feedback import merge_into_copy
from tests.backtest.trainings import START, telemetry

METRICS = ("cpu_utilization", "latency", "packet_loss", "throughput", "unheard_of")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return telemetry(tmp_path_factory.mktemp("history") / "telemetry", 0, 6 * HOUR)


def test_it_holds_the_samples_in_two_orders(dataset: Dataset) -> None:
    history = History.read(dataset, METRICS, 10 * MINUTE)
    assert len(history.sequences) == dataset.meta.samples
    assert np.isnan(history.values[:, 4]).all()
    assert np.isfinite(history.values[:, :4]).mean() > 0.9
    times = history.sequences.timestamps[history.in_time]
    assert (np.diff(times) >= 0).all()
    assert sorted(history.in_time.tolist()) == list(range(len(times)))


def test_what_people_recorded_counts_and_the_telemetry_stays_as_it_is(dataset: Dataset, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in dataset.path.iterdir() if path.is_file()}
    known = History.read(dataset, METRICS, 10 * MINUTE)
    healthy = sorted(set(range(len(known.sequences.devices))) - set(known.incidents.device.tolist()))
    failed, confirmed = (known.sequences.devices[index] for index in healthy[:2])
    at = START + 3 * HOUR
    feedback = Feedback(
        network="small",
        incidents=[
            Incident(source="csv", id="1", device=failed, start=iso(at), end=iso(at + 5 * MINUTE)),
        ],
        verdicts=[Verdict(alert="x", device=confirmed, opened=iso(at), verdict="confirmed")],
    )
    (tmp_path / "feedback.json").write_bytes(msgspec.json.encode(feedback))
    options = TelemetrySettings(feedback=str(tmp_path / "feedback.json"))
    merged = merge_into_copy(dataset, "small", options, tmp_path / "own")
    assert (tmp_path / "own") in merged.path.parents
    assert {path.name: path.read_bytes() for path in dataset.path.iterdir() if path.is_file()} == before
    history = History.read(merged, METRICS, 10 * MINUTE)
    assert len(history.incidents) == len(known.incidents) + 1
    assert history.left_out is not None
    left_out = np.unique(history.sequences.device_of_row[history.left_out])
    assert [history.sequences.devices[index] for index in left_out] == [confirmed]
    split = history.evaluation_split(np.ones(len(history.sequences), bool))
    assert (split.labels[history.left_out] == -1).all()


def test_without_any_the_telemetry_is_taken_as_it_is(dataset: Dataset, tmp_path: Path) -> None:
    options = TelemetrySettings(feedback="ignore")
    assert merge_into_copy(dataset, "small", options, tmp_path / "own") is dataset
