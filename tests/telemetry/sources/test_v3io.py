"""v3io as source and sink, over the real frames client against a peer that decodes what it sends."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from v3io_frames import frames_pb2 as fpb

from netops.errors import NetopsError, UsageError
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sinks.v3io import write_v3io
from netops.telemetry.v3io.frames import FramesTable
from tests.telemetry.frames_peer import Tables, grpc_service, http_service

SETTINGS = TelemetrySettings()


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    draw = np.random.default_rng(3)
    times = pd.date_range("2026-01-05T12:00:00Z", periods=50, freq="5s")
    frames = [
        pd.DataFrame({"timestamp": times, "device": device, "site": site, "cpu": draw.normal(50, 5, 50)})
        for device, site in (("d0", "north"), ("d1", "south"))
    ]
    frame = pd.concat(frames, ignore_index=True)
    frame["loss"] = frame.cpu.where(frame.index % 7 > 0)
    frame["is_error"] = frame.index.isin([20, 21, 22])
    frame.to_csv(tmp_path / "t.csv", index=False)
    return ingest([tmp_path / "t.csv"], tmp_path / "dataset", SETTINGS)


@pytest.fixture(params=["http", "grpc"])
def service(request: pytest.FixtureRequest) -> Iterator[tuple[str, Tables]]:
    tables = Tables()
    with (http_service if request.param == "http" else grpc_service)(tables) as address:
        yield f"v3io://{address}/projects/netops/telemetry?protocol={request.param}", tables


@pytest.mark.parametrize("backend", ["tsdb", "kv"])
def test_what_is_written_is_read_again(
    service: tuple[str, Tables], dataset: Dataset, tmp_path: Path, backend: str
) -> None:
    address, tables = f"{service[0]}&backend={backend}", service[1]
    assert write_v3io(dataset, address) == 100
    assert list(tables.frames) == [(backend, "projects", "netops/telemetry")]
    again = ingest([address], tmp_path / "again", SETTINGS)
    first, second = (pa.concat_tables(d.tables()).to_pandas() for d in (dataset, again))
    text = {"device": str, "site": str}
    order = ["device", "timestamp"]
    second = second.astype(text).sort_values(order, ignore_index=True)[first.columns]
    pd.testing.assert_frame_equal(first.astype(text), second)
    assert again.meta.metrics == dataset.meta.metrics
    assert again.meta.attributes == ("site",)
    assert again.incidents().equals(dataset.incidents())


def test_a_time_series_table_has_labels_and_a_rate(service: tuple[str, Tables], dataset: Dataset) -> None:
    address, tables = service
    write_v3io(dataset, address)
    assert tables.created[0]["rate"] == "12/m"
    assert tables.created[0]["if_exists"] == fpb.IGNORE
    frame = tables.frames["tsdb", "projects", "netops/telemetry"][0]
    assert [(index.name, index.dtype) for index in frame.indices] == [
        ("time", fpb.TIME),
        ("device", fpb.STRING),
        ("site", fpb.STRING),
    ]
    assert {column.name: column.dtype for column in frame.columns} == dict.fromkeys(
        ["cpu", "loss", "is_error"], fpb.FLOAT
    )
    assert sum("loss" in row.nullColumns for row in frame.null_values) == 15


def test_the_span_of_time_and_the_key_go_with_the_request(
    service: tuple[str, Tables], dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("V3IO_ACCESS_KEY", "open sesame")
    address, tables = service
    write_v3io(dataset, address)
    ingest([f"{address}&start=now-7d&end=now"], tmp_path / "out", SETTINGS)
    assert (tables.reads[-1]["start"], tables.reads[-1]["end"]) == ("now-7d", "now")
    assert tables.reads[0]["session"]["token"] == "open sesame"


def test_labels_of_a_frame_are_columns(service: tuple[str, Tables], tmp_path: Path) -> None:
    address, tables = service
    times = [1_767_614_400_000_000_000 + second * 10**9 for second in range(40)]
    for device in ("d0", "d1"):
        tables.frames.setdefault(("tsdb", "projects", "netops/telemetry"), []).append(
            fpb.Frame(
                indices=[fpb.Column(name="time", dtype=fpb.TIME, times=times)],
                columns=[
                    fpb.Column(name="cpu", dtype=fpb.FLOAT, floats=[float(i % 7) for i in range(40)]),
                    fpb.Column(kind=fpb.Column.LABEL, name="site", dtype=fpb.STRING, strings=["north"], size=40),
                ],
                labels={"device": fpb.Value(sval=device)},
            )
        )
    meta = ingest([address], tmp_path / "out", SETTINGS).meta
    assert (meta.devices, meta.metrics, meta.attributes) == (2, ("cpu",), ("site",))


@pytest.mark.parametrize("failure", ["table not\nfound", "denied", ""])
def test_what_the_service_refuses_is_one_line(service: tuple[str, Tables], tmp_path: Path, failure: str) -> None:
    address, tables = service
    tables.fail = failure
    with pytest.raises(NetopsError, match=r"^v3io://127.0.0.1:\d+/projects/netops/telemetry: ") as caught:
        ingest([address], tmp_path / "out", SETTINGS)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_service_that_is_not_there_is_named(dataset: Dataset) -> None:
    with pytest.raises(NetopsError, match=r"^v3io://127.0.0.1:9/a/b: "):
        write_v3io(dataset, "v3io://127.0.0.1:9/a/b?protocol=http")


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("v3io://host/projects", "write it as v3io://"),
        ("v3io:///projects/x", "write it as v3io://"),
        ("v3io://host/projects/x?backend=tsdbs", "backend 'tsdbs'; did you mean 'tsdb'"),
        ("v3io://host/projects/x?from=1", "unknown parameter 'from'"),
    ],
)
def test_addresses_that_cannot_be_are_refused(address: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("V3IO_FRAMESD", raising=False)
    with pytest.raises(UsageError, match=problem):
        FramesTable.parse(address)


def test_without_a_host_the_service_of_the_environment_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V3IO_FRAMESD", "https://framesd:8080")
    table = FramesTable.parse("v3io:///projects/netops/t?backend=kv")
    assert (table.service, table.container, table.table) == ("https://framesd:8080", "projects", "netops/t")
