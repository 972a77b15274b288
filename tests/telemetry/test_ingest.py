"""Telemetry of one's own, in all the forms it comes in."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from netops.errors import NetopsError, UsageError
from netops.telemetry import buckets
from netops.telemetry.dataset import Dataset, matrix_of, rows_of
from netops.telemetry.ingest import ingest, open_or_ingest
from netops.telemetry.network_schema import NetworkSchema
from netops.telemetry.settings import TelemetrySettings

START = pd.Timestamp("2026-01-05T12:00:00Z")
EPOCH = int(START.timestamp())
SETTINGS = TelemetrySettings()


def telemetry(devices: int = 3, samples: int = 60, seed: int = 0) -> pd.DataFrame:
    """Make telemetry of some devices, one incident on each."""
    draw = np.random.default_rng(seed)
    frames = [
        pd.DataFrame(
            {
                "timestamp": START + pd.to_timedelta(np.arange(samples) * 5, unit="s"),
                "device": f"d{device}",
                "cpu": draw.normal(50, 5, samples),
                "loss": draw.poisson(3, samples).astype(float),
                "is_error": (np.arange(samples) >= 40) & (np.arange(samples) < 45),
            }
        )
        for device in range(devices)
    ]
    return pd.concat(frames, ignore_index=True)


def csv(path: Path, frame: pd.DataFrame, **options: object) -> Path:
    frame.to_csv(path, index=False, **options)  # type: ignore[call-overload]
    return path


def read(dataset: Dataset) -> pd.DataFrame:
    return pa.concat_tables(dataset.tables()).to_pandas().astype({"device": str})


def test_a_csv_becomes_a_dataset(tmp_path: Path) -> None:
    frame = telemetry()
    dataset = ingest([csv(tmp_path / "t.csv", frame)], tmp_path / "out", SETTINGS)
    meta = dataset.meta
    assert (meta.metrics, meta.attributes, meta.samples, meta.devices, meta.incidents) == (
        ("cpu", "loss"),
        (),
        180,
        3,
        3,
    )
    assert meta.interval_seconds == 5
    pd.testing.assert_frame_equal(read(dataset)[frame.columns], frame, check_dtype=False)
    incidents = dataset.incidents().to_pandas()
    assert incidents.start.tolist() == [START + pd.Timedelta(200, "s")] * 3
    assert incidents.end.tolist() == [START + pd.Timedelta(225, "s")] * 3
    assert all(name.startswith(("part-", "_")) for name in (p.name for p in (tmp_path / "out").iterdir()))


def test_parquet_gzip_folders_and_their_mixture_are_the_same_telemetry(tmp_path: Path) -> None:
    frame = telemetry()
    whole = read(ingest([csv(tmp_path / "t.csv", frame)], tmp_path / "whole", SETTINGS))
    folder = tmp_path / "folder"
    folder.mkdir()
    frame[frame.device == "d1"].to_parquet(folder / "one.parquet")
    csv(folder / "two.csv.gz", frame[frame.device == "d2"])
    (folder / "README.md").write_text("not telemetry")
    (folder / "_incidents.parquet").write_text("neither")
    rest = csv(tmp_path / "zero.CSV", frame[frame.device == "d0"])
    mixed = read(ingest([folder, rest], tmp_path / "mixed", SETTINGS))
    pd.testing.assert_frame_equal(mixed, whole)


def test_without_a_device_column_a_file_is_a_device(tmp_path: Path) -> None:
    for name in ("leaf1", "leaf2"):
        frame = telemetry(1).drop(columns="device").rename(columns={"timestamp": "Time"})
        csv(tmp_path / f"{name}.csv.gz", frame)
    dataset = ingest([tmp_path / "leaf1.csv.gz", str(tmp_path / "leaf2.csv.gz")], tmp_path / "out", SETTINGS)
    assert read(dataset).device.unique().tolist() == ["leaf1", "leaf2"]


@pytest.mark.parametrize(("time", "device"), [("ts", "Node"), ("TIME", "HOST"), ("Timestamp", "instance")])
def test_columns_are_found_by_their_names_in_any_case(tmp_path: Path, time: str, device: str) -> None:
    frame = telemetry().rename(columns={"timestamp": time, "device": device, "is_error": "Label"})
    dataset = ingest([csv(tmp_path / "t.csv", frame)], tmp_path / "out", SETTINGS)
    assert dataset.meta.metrics == ("cpu", "loss")
    assert (dataset.meta.devices, dataset.meta.incidents) == (3, 3)


def test_configuration_names_columns_and_picks_metrics(tmp_path: Path) -> None:
    frame = telemetry().rename(columns={"timestamp": "when", "device": "box"})
    frame["cpu_user"], frame["site"] = frame.cpu / 2, frame.box.map({"d0": 7, "d1": 7, "d2": 9})
    settings = TelemetrySettings(
        time=("when",), device=("box",), metrics=("cpu*",), exclude=("*_user",), attributes=("site",)
    )
    dataset = ingest([csv(tmp_path / "t.csv", frame)], tmp_path / "out", settings)
    assert dataset.meta.metrics == ("cpu",)
    assert dataset.meta.attributes == ("site",)
    assert dataset.meta.left_out == {
        "loss": "not selected by telemetry: metrics",
        "cpu_user": "excluded by telemetry: exclude",
    }
    assert set(read(dataset).site) == {"7", "9"}


def test_files_may_differ_in_columns(tmp_path: Path) -> None:
    first, second = telemetry(1), telemetry(1, seed=1).assign(device="e", extra=np.arange(60) % 7)
    second = second.drop(columns="loss")
    paths = [csv(tmp_path / "a.csv", first), csv(tmp_path / "b.csv", second)]
    dataset = ingest(paths, tmp_path / "out", SETTINGS)
    assert dataset.meta.metrics == ("cpu", "loss", "extra")
    found = read(dataset).set_index("device")
    assert found.loc["d0", "extra"].isna().all()
    assert found.loc["e", "loss"].isna().all()
    assert found.loc["e", "extra"].notna().all()


def test_rows_are_sorted_and_the_first_of_duplicates_is_used(tmp_path: Path) -> None:
    frame = telemetry()
    again = frame.iloc[[5]].assign(cpu=-1.0)
    shuffled = pd.concat([frame.sample(frac=1, random_state=1), again])
    dataset = ingest([csv(tmp_path / "t.csv", shuffled)], tmp_path / "out", SETTINGS)
    pd.testing.assert_frame_equal(read(dataset)[frame.columns], frame, check_dtype=False)
    assert dataset.meta.details["duplicates"] == 1
    assert dataset.meta.details["out_of_order"] > 0


def test_what_is_no_metric_is_left_out_and_named(tmp_path: Path) -> None:
    frame = telemetry(devices=11)
    rows = np.arange(len(frame))
    frame.insert(0, "Unnamed: 0", rows)
    frame["constant"], frame["nothing"], frame["row"] = 3.5, np.nan, rows * 2 + 7
    frame["uptime"] = (frame.timestamp - START).dt.total_seconds() + 1e6
    frame["since"] = np.where(rows % 60 >= 45, rows % 60 - 45, rows % 60) * 5.0
    frame["few"] = np.where(frame.device == "d4", frame.cpu, np.nan)
    frame["speed"] = frame.device.str[1:].astype(float) * 1e9
    frame["note"], frame["vendor"] = [f"line {row}" for row in rows], "ACME"
    frame["cpu_is_error"] = frame.is_error
    dataset = ingest([csv(tmp_path / "t.csv", frame)], tmp_path / "out", SETTINGS)
    assert dataset.meta.metrics == ("cpu", "loss")
    assert dataset.meta.attributes == ("vendor",)
    assert dataset.meta.left_out == {
        "Unnamed: 0": "an unnamed index",
        "constant": "constant (3.5)",
        "nothing": "empty",
        "row": "counts rows or time",
        "uptime": "counts rows or time",
        "since": "counts rows or time",
        "few": "known for 1 of 11 devices only",
        "speed": "never changes on any device",
        "note": "text that changes",
    }
    assert read(dataset).cpu_is_error.sum() == 55


def test_counters_become_rates(tmp_path: Path) -> None:
    frame = telemetry(2)
    rate = np.random.default_rng(1).integers(1, 1000, 120)
    frame["bytes"] = rate.cumsum() + 10**12
    frame.loc[frame.device == "d1", "bytes"] -= int(frame.bytes[60]) - 40
    frame.loc[100:, "bytes"] -= int(frame.bytes[100]) - 7  # starts again at 7
    dataset = ingest([csv(tmp_path / "t.csv", frame)], tmp_path / "out", SETTINGS)
    assert dataset.meta.details["counters"] == ["bytes"]
    expected = np.where(np.arange(120) % 60 == 0, np.nan, rate / 5)
    expected[100] = 7 / 5
    np.testing.assert_allclose(read(dataset).bytes, expected)
    selected = ingest([tmp_path / "t.csv"], tmp_path / "kept", TelemetrySettings(counters=()))
    np.testing.assert_array_equal(read(selected).bytes, frame.bytes)


def test_other_telemetry_is_read_as_the_first_was(tmp_path: Path) -> None:
    frame = telemetry(2).assign(site="north")
    frame["bytes"] = np.random.default_rng(1).integers(1, 1000, 120).cumsum()
    first = ingest([csv(tmp_path / "t.csv", frame)], tmp_path / "out", SETTINGS)
    later = frame.iloc[:4].drop(columns="loss").assign(cpu=1.0, more=[1, 2, 3, 5])
    second = ingest(
        [csv(tmp_path / "l.csv", later)], tmp_path / "later", SETTINGS, like=NetworkSchema.of(first.meta)
    )
    assert second.meta.metrics == first.meta.metrics
    assert second.meta.attributes == ("site",)
    assert second.meta.left_out == {"more": "no metric of the network"}
    found = read(second)
    assert found.cpu.tolist() == [1.0] * 4
    assert found.loss.isna().all()
    np.testing.assert_allclose(found.bytes[1:], np.diff(frame.bytes[:4]) / 5)
    with pytest.raises(NetopsError, match="none of the metrics that the network has"):
        ingest(
            [csv(tmp_path / "x.csv", later[["timestamp", "more"]])],
            tmp_path / "x",
            SETTINGS,
            like=NetworkSchema.of(first.meta),
        )


def test_infinite_values_are_unknown(tmp_path: Path) -> None:
    frame = telemetry(1)
    frame.loc[3, "cpu"] = np.inf
    dataset = ingest([csv(tmp_path / "t.csv", frame)], tmp_path / "out", SETTINGS)
    assert dataset.meta.details["infinite"] == {"cpu": 1}
    assert read(dataset).cpu.isna().tolist() == [row == 3 for row in range(60)]


def log(path: Path, *lines: str, header: str = "Node,Start,End,Event") -> Path:
    path.write_text("\n".join([header, *lines]))
    return path


def test_incidents_come_from_a_log(tmp_path: Path) -> None:
    epoch = int(START.timestamp())
    source = csv(tmp_path / "t.csv", telemetry().drop(columns="is_error"))
    incidents = log(
        tmp_path / "log.csv",
        f"d1,{epoch + 8},{epoch + 20},flap",
        f"d1,{epoch + 15},{epoch + 31},clear",  # overlaps
        f"d0,{epoch + 101},{epoch + 103},short",  # between two samples
        f"d2,{epoch + 280},,open",  # never ends
    )
    dataset = ingest([source], tmp_path / "out", SETTINGS, incidents)
    found = dataset.incidents().to_pandas()
    seconds = lambda times: ((times - START).dt.total_seconds()).tolist()  # noqa: E731
    assert found.device.tolist() == ["d0", "d1", "d2"]
    assert seconds(found.start) == [105, 10, 280]
    assert seconds(found.end) == [110, 35, 300]
    assert found.scenario.tolist() == ["short", "flap", "open"]
    assert read(dataset).groupby("device").is_error.sum().tolist() == [1, 5, 4]


def test_an_outage_of_a_device_without_data_is_retained(tmp_path: Path) -> None:
    epoch = int(START.timestamp())
    frame = telemetry().drop(columns="is_error")
    silent = (frame.device == "d1") & ((frame.timestamp - START).dt.total_seconds().between(60, 200))
    source = csv(tmp_path / "t.csv", frame[~silent])
    incidents = log(
        tmp_path / "log.csv", f"d1,{epoch + 62},{epoch + 190},down", f"d0,{epoch + 10},{epoch + 20},flap"
    )
    dataset = ingest([source], tmp_path / "out", SETTINGS, incidents)
    found = dataset.incidents().to_pylist()
    assert [(row["device"], row["scenario"], row["source"]) for row in found] == [
        ("d0", "flap", "log.csv"),
        ("d1", "down", "log.csv"),
    ]
    assert (found[1]["start"] - START).total_seconds() == 62
    assert dataset.meta.incidents == 2
    assert read(dataset).groupby("device").is_error.sum().tolist() == [2, 0, 0]


@pytest.mark.parametrize(
    ("lines", "header", "problem"),
    [
        (["d1,1600000001,1600000002"], "node,start,end", "no incident overlaps the telemetry"),
        (["d1,1600000005,1600000002"], "node,start,end", "line 2: the incident does not end after its start"),
        (["d1,soon,1600000002"], "node,start,end", "line 2: column 'start': 'soon' is not a valid time"),
        (
            ["d8,1600000001,1600000002", "d9,1600000001,1600000002"],
            "node,start,end",
            r"2 of 2 incidents .* without telemetry: d8, d9 \(first: line 2\)",
        ),
        (
            ["d1,1600000001,1600000002"],
            "node,start,fin",
            "column 'fin' contains times after the starts: is it the end",
        ),
        (["d1,1600000001,1600000002"], "who,start,end", "no device column"),
    ],
)
def test_a_bad_log_is_refused(tmp_path: Path, lines: list[str], header: str, problem: str) -> None:
    source = csv(tmp_path / "t.csv", telemetry())
    with pytest.raises(NetopsError, match=problem) as caught:
        ingest([source], tmp_path / "out", SETTINGS, log(tmp_path / "log.csv", *lines, header=header))
    assert "log.csv" in str(caught.value)
    assert not (tmp_path / "out").exists()


BROKEN: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "no time column": (lambda f: f.drop(columns="timestamp"), r"no time column \(timestamp or time or ts\)"),
    "no numeric column": (lambda f: f[["timestamp", "device"]], "no numeric column"),
    "nothing that changes": (lambda f: f[["timestamp", "device"]].assign(a=1), r"left to learn from \(a: constant"),
    "a time that is none": (
        lambda f: f.astype({"timestamp": str}).replace({"timestamp": {str(f.timestamp[10]): "noon"}}),
        r"column 'timestamp', row 11 \(line 12\): 'noon' is not a valid time",
    ),
    "a missing time": (
        lambda f: f.astype({"timestamp": str}).assign(timestamp=lambda x: x.timestamp.where(x.index != 7)),
        r"column 'timestamp', row 8 \(line 9\): an empty value",
    ),
    "text among numbers": (
        lambda f: f.astype({"cpu": object}).assign(cpu=lambda x: x.cpu.where(x.index != 9, "high")),
        r"column 'cpu', row 10 \(line 11\): 'high' is not a number",
    ),
    "text in the first row": (
        lambda f: f.astype({"cpu": object}).assign(cpu=lambda x: x.cpu.where(x.index != 0, "?")),
        r"column 'cpu', row 1 \(line 2\): '\?' is not a number",
    ),
    "a label that is none": (
        lambda f: f.assign(is_error=lambda x: np.where(x.index == 4, "2", "0")),
        r"column 'is_error', row 5 \(line 6\): '2' is neither 0 nor 1",
    ),
    "no device in a row": (
        lambda f: f.assign(device=lambda x: x.device.where(x.index != 2)),
        r"column 'device', row 3 \(line 4\): no device",
    ),
    "no rows": (lambda f: f.iloc[:0], "no samples"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_bad_input_is_refused_in_one_line(tmp_path: Path, broken: str) -> None:
    spoil, problem = BROKEN[broken]
    source = csv(tmp_path / "t.csv", spoil(telemetry(1)))
    with pytest.raises(NetopsError, match=problem) as caught:
        ingest([source], tmp_path / "out", SETTINGS)
    assert str(caught.value).startswith(str(source))
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("missing.csv", None, "no such file or folder"),
        ("empty.csv", b"", "the file is empty"),
        ("empty.csv.gz", gzip.compress(b"", mtime=0), "the file is empty"),
        ("header.csv", b"timestamp,cpu\n", "no samples"),
        ("header.csv", b"timestamp,cpu", "no samples"),
        ("ragged.csv", b"timestamp,cpu\n1,2\n2,3,4\n", r"row 2 \(line 3\): 3 values where the header has 2"),
        ("twins.csv", b"time,cpu,cpu\n1,2,3\n", "two columns are named 'cpu'"),
        ("not.parquet", b"timestamp,cpu\n1,2\n", "not a Parquet file"),
        (
            "broken.csv.gz",
            gzip.compress(b"time,cpu\n" + b"1,2\n" * 99, mtime=0)[:-20],
            "cannot be read|not a readable CSV",
        ),
        ("utf16.csv", "time,cpu\n1,2\n".encode("utf-16")[:-1], "not utf-16"),
        ("latin.csv", "time,cpu,site\n1,2,Zürich\n".encode("latin-1"), "UTF-?8"),
        ("telemetry.docx", b"timestamp,cpu\n1,2\n", "neither CSV nor Parquet"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, name: str, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(NetopsError, match=problem) as caught:
        ingest([tmp_path / name], tmp_path / "out", SETTINGS)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_files_names_those_below(tmp_path: Path) -> None:
    (tmp_path / "data" / "april").mkdir(parents=True)
    with pytest.raises(NetopsError, match=r"data: no CSV or Parquet file .* pass one of its folders: april"):
        ingest([tmp_path / "data"], tmp_path / "out", SETTINGS)


def test_bad_parquet_is_refused_with_its_row(tmp_path: Path) -> None:
    times = [EPOCH + second for second in range(4)]
    table = pa.table({"time": times, "cpu": ["1", "2", "x", "4"], "loss": [1, 2, 3, 1]})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(NetopsError, match=r"t.parquet: column 'cpu', row 3: 'x' is not a number"):
        ingest([tmp_path / "t.parquet"], tmp_path / "out", SETTINGS)


def test_text_far_down_a_long_file_is_found(tmp_path: Path) -> None:
    rows = [f"{EPOCH + second},{second % 7}" for second in range(900_000)]
    rows[850_000] = f"{EPOCH + 850_000},n.v."
    (tmp_path / "t.csv").write_text("\n".join(["time,cpu", *rows]))
    with pytest.raises(NetopsError, match=r"column 'cpu', row 850001 \(line 850002\): 'n.v.' is not a number"):
        ingest([tmp_path / "t.csv"], tmp_path / "out", SETTINGS)


def test_a_column_that_begins_late_is_typed_by_its_values(tmp_path: Path) -> None:
    rows = [f"{EPOCH + second},{second % 7},,," for second in range(900_000)]
    rows[-3:] = [f"{EPOCH + 900_000 + n},{n},{n + 4},north,{mixed}" for n, mixed in ((1, "1"), (2, "x"), (3, "y"))]
    (tmp_path / "t.csv").write_text("\n".join(["time,cpu,late,site,mixed", *rows]))
    dataset = ingest([tmp_path / "t.csv"], tmp_path / "out", TelemetrySettings(counters=()))
    assert dataset.meta.metrics == ("cpu", "late")
    assert dataset.meta.attributes == ("site",)
    assert dataset.meta.left_out == {"mixed": "text that changes"}


def test_a_column_of_numbers_here_and_text_there_is_refused(tmp_path: Path) -> None:
    first = csv(tmp_path / "a.csv", telemetry(1))
    second = csv(tmp_path / "b.csv", telemetry(1).assign(cpu="high"))
    with pytest.raises(
        NetopsError, match="column 'cpu' contains text here, but numbers elsewhere in the telemetry"
    ):
        ingest([first, second], tmp_path / "out", SETTINGS)


def test_devices_without_any_of_the_metrics_are_set_aside_and_reported(tmp_path: Path) -> None:
    """T7: nine of 21 devices lost every metric, each known for few devices, and all 21 were counted."""
    times = pd.date_range("2026-01-05", periods=30, freq="1min", tz="UTC")
    frames = [
        pd.DataFrame({"timestamp": times, "device": f"d{number:02}", name: np.arange(30) % 7})
        for number in range(21)
        for name in (["cpu"] if number < 12 else [f"fan{number // 3}"])
    ]
    pd.concat(frames).to_csv(tmp_path / "t.csv", index=False)
    meta = ingest([tmp_path / "t.csv"], tmp_path / "out", SETTINGS).meta
    assert (meta.metrics, meta.devices, meta.samples) == (("cpu",), 12, 360)
    [why] = [why for why in meta.details["reading"]["dropped"] if "devices set aside" in why]
    assert "270 samples, of 21" in why
    assert "--set telemetry.min_device_share=0 keeps fan4, fan5, fan6" in why


def test_many_buckets_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = csv(tmp_path / "t.csv", telemetry(40).sample(frac=1, random_state=2))
    whole = ingest([source], tmp_path / "whole", SETTINGS)
    monkeypatch.setattr(buckets, "BUCKET_BYTES", 60_000)
    monkeypatch.setattr(buckets, "_FLUSH_BYTES", 100)
    dealt = ingest([source], tmp_path / "dealt", SETTINGS)
    assert len(dealt.parts) > 3
    assert dealt.meta.details == whole.meta.details
    devices = [device for table in dealt.tables() for device in rows_of(table).devices]
    assert sorted(devices) == sorted(set(devices)) == rows_of(next(whole.tables())).devices
    keys = ["device", "timestamp"]
    pd.testing.assert_frame_equal(read(dealt).sort_values(keys, ignore_index=True), read(whole))
    assert dealt.incidents().equals(whole.incidents())


def test_a_dataset_is_opened_as_it_is(tmp_path: Path) -> None:
    dataset = ingest([csv(tmp_path / "t.csv", telemetry())], tmp_path / "out", SETTINGS)
    assert open_or_ingest([dataset.path], tmp_path / "none", SETTINGS) == dataset
    assert not (tmp_path / "none").exists()
    again = ingest([dataset.path], tmp_path / "again", SETTINGS)
    pd.testing.assert_frame_equal(read(again), read(dataset))


def test_a_dataset_is_opened_by_a_schema_that_it_fits(tmp_path: Path) -> None:
    dataset = ingest([csv(tmp_path / "t.csv", telemetry())], tmp_path / "out", SETTINGS)
    assert open_or_ingest([dataset.path], tmp_path / "none", SETTINGS, like=NetworkSchema(("cpu",))) == dataset
    other = open_or_ingest([dataset.path], tmp_path / "other", SETTINGS, like=NetworkSchema(("memory", "cpu")))
    assert (other.path, other.meta.metrics) == (tmp_path / "other", ("memory", "cpu"))
    schema = NetworkSchema.of(dataset.meta)
    assert NetworkSchema.from_dict(schema.to_dict()) == schema


def test_nothing_but_a_dataset_is_replaced(tmp_path: Path) -> None:
    source = csv(tmp_path / "t.csv", telemetry())
    ingest([source], tmp_path / "out", SETTINGS)
    ingest([source], tmp_path / "out", SETTINGS)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="contains something other than a dataset"):
        ingest([source], tmp_path / "out", SETTINGS)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_unknown_schemes_and_no_telemetry_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'ftp://' is not a telemetry source"):
        ingest(["ftp://host/x"], tmp_path / "out", SETTINGS)
    with pytest.raises(UsageError, match="no telemetry was given"):
        ingest([], tmp_path / "out", SETTINGS)


DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize(("capture", "incidents"), [("bgpclear_second", 8), ("portflap_first", 4)])
def test_router_telemetry(tmp_path: Path, capture: str, incidents: int) -> None:
    folder = DATA / "cisco-routers"
    dataset = ingest(
        [folder / "telemetry" / capture], tmp_path / "out", SETTINGS, folder / f"{capture}.incidents.csv"
    )
    meta = dataset.meta
    assert (meta.devices, meta.incidents) == (11, incidents)
    assert 4 <= meta.interval_seconds <= 6
    assert len(meta.metrics) == (10 if capture == "bgpclear_second" else 7)
    assert meta.left_out[""] == "an unnamed index"
    assert "HundredGigE0/0/0/0bytes-received" in meta.details["counters"]
    values = matrix_of(next(dataset.tables()), list(meta.metrics))
    received = values[:, meta.metrics.index("HundredGigE0/0/0/0bytes-received")]
    assert 1e8 < np.nanmedian(received) < 12.5e9  # of 100 Gbit/s


def test_server_telemetry(tmp_path: Path) -> None:
    meta = ingest([DATA / "smd-servers" / "telemetry.parquet"], tmp_path / "out", SETTINGS).meta
    assert (meta.samples, meta.devices, meta.interval_seconds) == (71_088, 3, 60)
    assert len(meta.metrics) == 4
    assert meta.left_out == {"m08": "constant (0)"}
    assert meta.details["counters"] == []
