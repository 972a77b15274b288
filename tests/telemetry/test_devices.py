"""Who is the device: columns found, rows distinguished, devices without metrics counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from netops.config.binding import bind
from netops.errors import NetopsError, UsageError
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings

from .test_ingest import START, read

SAMPLES = 40


def table(*columns: dict[str, object], samples: int = SAMPLES) -> pd.DataFrame:
    """Make telemetry of several things, each with what names it."""
    draw = np.random.default_rng(0)
    times = START + pd.to_timedelta(np.arange(samples), unit="min")
    frames = [pd.DataFrame({"timestamp": times, **names, "cpu": draw.normal(50, 5, samples)}) for names in columns]
    return pd.concat(frames).sort_values("timestamp", kind="stable", ignore_index=True)


def ingested(frame: pd.DataFrame, folder: Path, **values: Any) -> Dataset:
    frame.to_csv(folder / "t.csv", index=False)
    return ingest([folder / "t.csv"], folder / "out", bind(TelemetrySettings, values, "telemetry.yaml"))


@pytest.mark.parametrize(
    "name",
    [
        "hostname",
        "Host Name",
        "# hostname",
        "sysName",
        "machineID",
        "machine",
        "site_id",
        "ip",
        "cmdb_id",
        "agent_host",
        "instance",
        "target",
        "source",
        "deviceId",
        "Computer",
    ],
)
def test_the_names_of_the_field_are_known(tmp_path: Path, name: str) -> None:
    dataset = ingested(table({name: "a"}, {name: "b"}), tmp_path)
    assert sorted(read(dataset).device.unique()) == ["a", "b"]


@pytest.mark.parametrize("name", ["source", "request_id", "target"])
def test_an_ambiguous_name_must_distinguish_rows(tmp_path: Path, name: str) -> None:
    frame = table({})
    frame[name] = [f"{row // 2}" for row in range(len(frame))]
    assert read(ingested(frame, tmp_path)).device.unique().tolist() == ["t"]


def test_a_constant_column_loses_also_when_it_varies_in_other_files(tmp_path: Path) -> None:
    for host in ("r1", "r2"):
        table({"host": host, "source": "snmp"}).to_csv(tmp_path / f"{host}.csv", index=False)
    dataset = ingest([tmp_path], tmp_path / "out", TelemetrySettings())
    assert read(dataset).device.unique().tolist() == ["r1", "r2"]


PORTS = [{"host": host, "interface": port} for host in ("r1", "r2") for port in ("eth0", "eth1")]


def test_rows_that_contradict_each_other_are_refused_with_an_option_that_works(tmp_path: Path) -> None:
    with pytest.raises(
        NetopsError, match=r"80 of 160 rows .* 'interface' \(2 values\) distinguishes them"
    ) as caught:
        ingested(table(*PORTS), tmp_path)
    option = str(caught.value).split("--set telemetry.device=")[1]
    dataset = ingested(table(*PORTS), tmp_path, device=option)
    assert sorted(read(dataset).device.unique()) == ["r1/eth0", "r1/eth1", "r2/eth0", "r2/eth1"]


def test_a_list_of_alternatives_is_taken_together_where_the_first_does_not_suffice(tmp_path: Path) -> None:
    assert ingested(table(*PORTS), tmp_path, device=["host", "interface"]).meta.devices == 4
    alone = table({"host": "r1", "interface": "eth0"}, {"host": "r2", "interface": "eth0"})
    assert read(ingested(alone, tmp_path, device=["host", "interface"])).device.unique().tolist() == ["r1", "r2"]
    old = table({"box": "b1", "node": "n1"}, {"box": "b2", "node": "n2"})
    assert read(ingested(old, tmp_path, device=["missing", "node", "box"])).device.unique().tolist() == ["n1", "n2"]


def test_without_a_device_the_column_is_named(tmp_path: Path) -> None:
    frame = table(*({"box": name} for name in "abcd"))
    with pytest.raises(
        NetopsError, match=r"no device column was found, yet 120 of 160 rows .* telemetry.device=box"
    ):
        ingested(frame, tmp_path)
    assert ingested(frame, tmp_path, max_conflicts=1.0).meta.details["duplicates"] == 120


def test_one_device_that_is_several_is_refused_in_a_large_network(tmp_path: Path) -> None:
    names = [{"host": f"h{n:03}", "part": "x"} for n in range(150)] + [{"host": "h000", "part": "y"}]
    with pytest.raises(NetopsError, match=r"'part' .* distinguishes them: --set telemetry.device=host[+]part"):
        ingested(table(*names), tmp_path)


def test_rows_that_no_column_distinguishes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetopsError, match=r"no column distinguishes them; --set telemetry.max_conflicts=1 keeps"):
        ingested(table({"host": "a"}, {"host": "a"}), tmp_path)


def test_the_same_row_twice_is_counted_and_halves_are_combined(tmp_path: Path) -> None:
    whole = table({"device": "a"}, {"device": "b"})
    whole["loss"] = np.arange(len(whole)) % 7
    whole.drop(columns="loss").to_csv(tmp_path / "cpu.csv", index=False)
    whole.drop(columns="cpu").to_csv(tmp_path / "loss.csv", index=False)
    again = pd.concat([whole, whole.iloc[:10]])
    again.to_csv(tmp_path / "all.csv", index=False)
    halves = ingest([tmp_path / "cpu.csv", tmp_path / "loss.csv"], tmp_path / "halves", TelemetrySettings())
    both = ingest([tmp_path / "all.csv"], tmp_path / "both", TelemetrySettings())
    pd.testing.assert_frame_equal(read(halves), read(both))
    assert (halves.meta.details["merged"], halves.meta.details["duplicates"]) == (len(whole), 0)
    assert (both.meta.details["merged"], both.meta.details["duplicates"]) == (0, 10)


def test_devices_that_lose_every_metric_are_set_aside_and_reported(tmp_path: Path) -> None:
    frames = [table({"device": f"d{n}"}) for n in range(12)]
    odd = [table({"device": f"x{n}"}).rename(columns={"cpu": f"own{n}"}) for n in range(2)]
    dataset = ingested(pd.concat([*frames, *odd]), tmp_path)
    assert (dataset.meta.devices, dataset.meta.samples) == (12, 12 * SAMPLES)
    assert dataset.meta.details["devices_without_metrics"] == 2
    (line,) = dataset.meta.details["reading"]["dropped"]
    assert "of 14" in line
    assert "--set telemetry.min_device_share=0 keeps own0, own1" in line
    assert ingested(pd.concat([*frames, *odd]), tmp_path, min_device_share=0).meta.devices == 14


@pytest.mark.parametrize("name", ["part-00000-5e1c.snappy.parquet", "t.csv", "_SUCCESS", "notes"])
def test_a_folder_of_somebody_elses_is_not_written_into(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(UsageError, match="contains something other than a dataset"):
        ingested(table({"device": "a"}), tmp_path)
    assert (tmp_path / "out" / name).read_text() == "mine"
