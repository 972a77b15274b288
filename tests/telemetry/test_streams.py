"""v3io streams as source and sink, over the real v3io client against a peer that decodes what it sends."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from netops.errors import NetopsError, UsageError
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sinks.rows import Rows
from netops.telemetry.sinks.stream import write_stream
from netops.telemetry.v3io.streams import Stream
from tests.telemetry.v3io_peer import Platform, web_api

SETTINGS = TelemetrySettings()
PATH = "projects/netops/telemetry"


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setenv("V3IO_ACCESS_KEY", "open sesame")
    return Platform()


@pytest.fixture
def address(platform: Platform) -> Iterator[str]:
    with web_api(platform) as host:
        yield f"v3io://{host}/{PATH}?backend=stream&shards=3"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    draw = np.random.default_rng(3)
    times = pd.date_range("2026-01-05T12:00:00.5Z", periods=400, freq="5s")
    frames = [
        pd.DataFrame({"timestamp": times, "device": device, "site": site, "cpu": draw.normal(50, 5, 400)})
        for device, site in (("d0", "north"), ("d1", "south"), ("d2", "south"))
    ]
    frame = pd.concat(frames, ignore_index=True)
    frame["loss"] = frame.cpu.where(frame.index % 7 > 0)
    frame["is_error"] = frame.index.isin([20, 21, 22])
    frame.to_csv(tmp_path / "t.csv", index=False)
    return ingest([tmp_path / "t.csv"], tmp_path / "dataset", SETTINGS)


def test_what_is_written_is_read_again(address: str, platform: Platform, dataset: Dataset, tmp_path: Path) -> None:
    assert write_stream(Rows.of(dataset), address) == 1200
    assert platform.keys == {"open sesame"}
    again = ingest([address], tmp_path / "again", SETTINGS)
    text = {"device": str, "site": str}
    first, second = (pa.concat_tables(d.tables()).to_pandas().astype(text) for d in (dataset, again))
    pd.testing.assert_frame_equal(first, second[first.columns])
    assert again.incidents().equals(dataset.incidents())


def test_a_record_is_a_sample_as_the_server_takes_it(address: str, platform: Platform, dataset: Dataset) -> None:
    from netops.serving.decode.json import JsonReader

    write_stream(Rows.of(dataset), address)
    first, second = platform.records(PATH)[:2]
    samples = JsonReader(("cpu", "loss"), 10, 64).read([first, second])
    assert samples.errors == {}
    assert (samples.timestamps[1] - samples.timestamps[0]) == 5_000_000_000
    assert first["timestamp"].endswith("12:00:00.5Z")


def test_the_samples_of_a_device_are_in_one_shard_in_order(
    address: str, platform: Platform, dataset: Dataset
) -> None:
    write_stream(Rows.of(dataset), address)
    shards = platform.streams[PATH]
    assert len(shards) == 3
    found: dict[str, set[int]] = {}
    for number, shard in enumerate(shards):
        for record in shard:
            found.setdefault(record["PartitionKey"], set()).add(number)
    assert {device: len(numbers) for device, numbers in found.items()} == {"d0": 1, "d1": 1, "d2": 1}
    times = [record["timestamp"] for record in platform.records(PATH) if record["device"] == "d1"]
    assert times == sorted(times)


def test_a_stream_that_is_there_is_appended_to(address: str, platform: Platform, dataset: Dataset) -> None:
    platform.streams[PATH] = [[]]
    write_stream(Rows.of(dataset), address)
    write_stream(Rows.of(dataset), address)
    assert len(platform.streams[PATH]) == 1
    assert len(platform.records(PATH)) == 2400


def test_rejected_records_are_sent_again(address: str, platform: Platform, dataset: Dataset) -> None:
    platform.refuse = 3
    write_stream(Rows.of(dataset), address)
    assert len(platform.records(PATH)) == 1200


def test_permanently_rejected_records_are_reported(address: str, platform: Platform, dataset: Dataset) -> None:
    platform.refuse = 10_000
    with pytest.raises(NetopsError, match="500 records were rejected: try again"):
        write_stream(Rows.of(dataset), address)


def test_the_span_of_time_is_when_records_arrived(address: str, platform: Platform) -> None:
    stream = Stream.parse(address)
    with stream.open() as opened:
        opened.create()
        for day in range(4):
            platform.clock = 1_767_614_400 + day * 86_400
            opened.put([{"device": "d0", "day": day}], "device")
    now = (1_767_614_400 + 3 * 86_400) * 10**9

    def days(query: str) -> list[int]:
        with Stream.parse(f"{address}&{query}").open(lambda: now) as opened:
            return [record["day"] for records in opened.records() for record in records]

    assert days("start=now-2d") == [1, 2, 3]
    assert days("start=2026-01-06T12:00:00Z&end=now-25h") == [1]
    assert days("end=2026-01-05T13:00:00Z") == [0]
    with pytest.raises(UsageError, match="'yesterday' is not a valid time of a stream"):
        days("start=yesterday")


def test_what_arrives_while_it_is_read_is_left_for_the_next_time(address: str) -> None:
    with Stream.parse(address).open() as opened:
        opened.create()
        opened.put([{"device": "d0", "n": n} for n in range(1200)], "device")
        seen = 0
        for records in opened.records():
            seen += len(records)
            opened.put([{"device": "d0", "n": -1}] * len(records), "device")
    assert seen == 1200


@pytest.mark.parametrize("data", ["no json", "[1]", "3"])
def test_a_record_that_is_no_sample_is_named(address: str, platform: Platform, tmp_path: Path, data: str) -> None:
    with Stream.parse(address).open() as opened:
        opened.create()
        opened.client.stream.put_records("projects", "netops/telemetry", [{"data": data, "partition_key": "d0"}])
    with pytest.raises(NetopsError, match=r"^v3io://.*: shard \d, record 1: not a JSON object: ") as caught:
        ingest([address], tmp_path / "out", SETTINGS)
    assert "\n" not in str(caught.value)


def test_what_the_web_api_refuses_is_one_line(address: str, platform: Platform, tmp_path: Path, capfd) -> None:
    with pytest.raises(NetopsError, match=rf"^v3io://127.0.0.1:\d+/{PATH}: the web API answers 404") as caught:
        ingest([address], tmp_path / "out", SETTINGS)
    assert "\n" not in str(caught.value)
    platform.fail = 403
    with pytest.raises(NetopsError, match="the web API answers 403"):
        ingest([address], tmp_path / "out", SETTINGS)
    assert capfd.readouterr() == ("", "")


def test_an_empty_stream_is_reported(address: str, platform: Platform, tmp_path: Path) -> None:
    platform.streams[PATH] = [[], []]
    with pytest.raises(NetopsError, match="no samples in the stream"):
        ingest([address], tmp_path / "out", SETTINGS)


def test_a_service_that_is_not_there_is_named(platform: Platform) -> None:
    with (
        pytest.raises(NetopsError, match=r"^v3io://127.0.0.1:9/a/b: "),
        Stream.parse("v3io://127.0.0.1:9/a/b?backend=stream").open() as opened,
    ):
        opened.create()


def test_without_a_key_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("V3IO_ACCESS_KEY", raising=False)
    with (
        pytest.raises(NetopsError, match="V3IO_ACCESS_KEY"),
        Stream.parse("v3io://127.0.0.1:9/a/b?backend=stream").open(),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("v3io://host/projects/x", "add backend=stream"),
        ("v3io://host/projects/x?backend=stream&protocol=grpc", "not grpc"),
        ("v3io://host/projects/x?backend=stream&shards=none", "shards 'none'"),
        ("v3io://host/projects/x?backend=streams", "did you mean 'stream'"),
        ("v3io:///projects/x?backend=stream", "set V3IO_API"),
    ],
)
def test_addresses_that_cannot_be_are_refused(address: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("V3IO_API", raising=False)
    with pytest.raises(UsageError, match=problem):
        Stream.parse(address)


def test_without_a_host_the_web_api_of_the_environment_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V3IO_API", "https://webapi:8081")
    stream = Stream.parse("v3io:///projects/netops/t?backend=stream")
    assert (stream.service, stream.container, stream.path) == ("https://webapi:8081", "projects", "netops/t")
