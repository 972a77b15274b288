"""One key says where telemetry, features and risks go: Parquet here, tables and streams of v3io there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from netops.config.binding import bind
from netops.errors import UsageError
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import SinkSettings, TelemetrySettings
from netops.telemetry.sinks.registry import destination_of, write
from netops.telemetry.sinks.rows import Rows
from tests.telemetry.frames_peer import Tables, http_service
from tests.telemetry.v3io_peer import Platform, web_api


def telemetry(folder: Path, name: str, devices: list[str], start: str = "2026-01-05T12:00:00Z") -> Dataset:
    """Make a dataset."""
    draw = np.random.default_rng(len(name))
    times = pd.date_range(start, periods=60, freq="5s")
    frames = [pd.DataFrame({"timestamp": times, "device": d, "cpu": draw.normal(50, 5, 60)}) for d in devices]
    folder.mkdir(exist_ok=True)
    pd.concat(frames).to_csv(folder / f"{name}.csv", index=False)
    return ingest([folder / f"{name}.csv"], folder / name, TelemetrySettings())


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return telemetry(tmp_path / "made", "first", ["d0", "d1"])


def rows_of(address: str, folder: Path) -> pd.DataFrame:
    """Read what a sink has, as telemetry."""
    found = ingest([address], folder, TelemetrySettings())
    frame = pa.concat_tables(found.tables()).to_pandas()
    return frame.astype({"device": str})[["timestamp", "device", "cpu"]]


def test_a_folder_a_table_and_a_stream_give_back_the_same(dataset, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("V3IO_ACCESS_KEY", "key")
    expected = (
        pa.concat_tables(dataset.tables()).to_pandas().astype({"device": str})[["timestamp", "device", "cpu"]]
    )
    with http_service(Tables()) as frames, web_api(Platform()) as api:
        targets = (
            str(tmp_path / "lake"),
            f"v3io://{frames}/projects/netops?protocol=http",
            f"v3io://{frames}/projects/netops?protocol=http&backend=kv",
            f"v3io://{api}/projects/netops?backend=stream",
        )
        for number, target in enumerate(targets):
            index = destination_of(SinkSettings(to=target), "core", "telemetry")
            assert write(Rows.of(dataset), index) == 120
            pd.testing.assert_frame_equal(rows_of(index, tmp_path / f"again-{number}"), expected)


def test_each_network_and_kind_has_a_separate_destination(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path))
    assert destination_of(SinkSettings(), "core", "risks") is None
    assert destination_of(SinkSettings(to="lake"), "core", "risks") == str(tmp_path / "lake" / "core" / "risks")
    assert destination_of(SinkSettings(to="/lake", what=("risks",)), "core", "features") is None
    address = "v3io://framesd:8081/projects/netops?backend=kv"
    assert destination_of(SinkSettings(to=address), "core", "risks") == (
        "v3io://framesd:8081/projects/netops/core/risks?backend=kv"
    )


def test_other_devices_and_times_are_added_to_existing_rows(dataset, tmp_path) -> None:
    index = str(tmp_path / "lake")
    for given in (
        dataset,
        dataset,  # once more: in the place of the first
        telemetry(tmp_path / "made", "others", ["d2"]),
        telemetry(tmp_path / "made", "later", ["d0", "d1"], "2026-01-05T12:05:00Z"),
    ):
        write(Rows.of(given), index)
    assert len(rows_of(index, tmp_path / "again")) == 120 + 60 + 120


def test_a_device_with_a_slash_is_one_item_of_a_key_value_table_and_not_a_folder(tmp_path) -> None:
    names = ["edge/eth0", "edge%2Feth0", "../../other", "plain name"]
    dataset = telemetry(tmp_path / "made", "slashes", names)
    tables = Tables()
    with http_service(tables) as frames:
        address = f"v3io://{frames}/projects/netops/core/telemetry?protocol=http&backend=kv"
        assert write(Rows.of(dataset), address) == 240
        assert set(rows_of(address, tmp_path / "again")["device"]) == set(names)
    keys = [
        key
        for frame in tables.frames["kv", "projects", "netops/core/telemetry"]
        for key in frame.indices[0].strings
    ]
    assert len(set(keys)) == 240
    assert not any("/" in key for key in keys)
    assert sum(key.startswith("plain name_") for key in keys) == 60  # as ever


def test_rows_that_a_time_series_does_not_take_are_not_counted_as_written(tmp_path) -> None:
    made = tmp_path / "made"
    later, earlier = (
        telemetry(made, "later", ["d0", "d1"], "2026-01-05T12:02:30Z"),
        telemetry(made, "earlier", ["d0", "d2"]),
    )
    with http_service(Tables()) as frames:
        address = f"v3io://{frames}/projects/netops/core/telemetry?protocol=http"
        assert write(Rows.of(later), address) == 120
        assert write(Rows.of(later), address) == 120  # they are there
        # The first half of d0's lies before the newest of d0, and none of it is there; d2 is new.
        assert write(Rows.of(earlier), address) == 60 + 30


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_risks_are_sent_from_the_file_they_were_written_to(tmp_path, suffix) -> None:
    from netops.workflows.stages.scoring import _write

    times = pa.array(range(0, 5 * 10**9, 10**9)).cast(pa.timestamp("ns", tz="UTC"))
    risks = pa.table(
        {"timestamp": times, "device": ["d0"] * 5, "risk": [0.25] * 5, "model_version": ["12345678"] * 5}
    )
    file = tmp_path / f"risks{suffix}"
    _write(file, suffix, iter([risks]))
    tables = Tables()
    with http_service(tables) as frames:
        address = f"v3io://{frames}/projects/netops/core/risks?protocol=http"
        assert write(Rows.of_risks(file, 5), address) == 5
    [frame] = tables.frames["tsdb", "projects", "netops/core/risks"]
    assert [index.name for index in frame.indices] == ["time", "device", "model_version"]
    assert [(column.name, list(column.floats)) for column in frame.columns] == [("risk", [0.25] * 5)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"to": "s3://bucket/x"}, "expected a folder, or an address with v3io://"),
        ({"what": ["telemetri"]}, "did you mean 'telemetry'"),
        ({"two": "x"}, "did you mean 'to'"),
    ],
)
def test_a_sink_that_cannot_be_is_refused(values, message) -> None:
    with pytest.raises(UsageError, match=message):
        bind(TelemetrySettings, {"sink": values}, "telemetry.yaml")
