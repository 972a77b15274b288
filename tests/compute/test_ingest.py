"""Ingestion on a cluster gives the bytes and the reports of one process, also if a worker dies meanwhile."""

import gzip
import json
import pickle
import resource
from collections.abc import Iterator
from pathlib import Path

import mlrun
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from netops.cli.main import run
from netops.compute.cluster import Cluster, connect, local_cluster
from netops.errors import NetopsError
from netops.telemetry import buckets, remote_ingest
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.files import file_sources
from netops.workflows.project import load_project
from netops.workflows.settings import read_settings
from tests.compute.test_stages import a_worker_dies, content

START, STEP, SAMPLES = 1_767_225_600, 60, 400


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with local_cluster(2) as address, connect(address) as found:
        yield found


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several buckets and tasks for little telemetry."""
    monkeypatch.setattr(buckets, "BUCKET_BYTES", 60_000)
    monkeypatch.setattr(remote_ingest, "_TOGETHER", 20_000)


def rows_of(seed: int, devices: range) -> pa.Table:
    """Make the telemetry of some devices, out of order, with rows twice, and a counter."""
    random = np.random.default_rng(seed)
    names = np.repeat([f"r{device}" for device in devices], SAMPLES)
    times = START + STEP * np.tile(np.arange(SAMPLES), len(devices))
    table = pa.table(
        {
            "time": times,
            "host": names,
            "site": [f"site-{name[-1]}" for name in names],
            "cpu": random.normal(50, 9, len(times)).round(2),
            "octets": np.tile(np.cumsum(random.integers(1, 900, SAMPLES)), len(devices)),
            "flag": (random.random(len(times)) < 0.3).astype(int),
            "is_error": np.tile((np.arange(SAMPLES) // 20) % 9 == 8, len(devices)),
        }
    )
    return table.take(pa.array(random.permutation(np.append(np.arange(len(times)), [3, 9, 9]))))


def csv_of(table: pa.Table) -> str:
    columns = [table.column(name).to_pylist() for name in table.column_names]
    lines = (",".join("" if value is None else str(value) for value in row) for row in zip(*columns, strict=True))
    return "\n".join([",".join(table.column_names), *lines, ""])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CSV, also compressed, Parquet, JSON lines, a file of one device, notes, and rows of a device in two files."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "a.csv").write_text(csv_of(rows_of(1, range(4))))
    (folder / "b.csv.gz").write_bytes(gzip.compress(csv_of(rows_of(2, range(4, 7))).encode()))
    pq.write_table(rows_of(3, range(7, 9)), folder / "c.parquet")
    other = rows_of(4, range(9, 11))
    (folder / "d.jsonl").write_text("\n".join(json.dumps(row) for row in other.to_pylist()))
    (folder / "r99.csv").write_text(csv_of(rows_of(5, range(1)).drop_columns(["host"])))
    again = rows_of(1, range(4)).slice(0, 300).append_column("fan", pa.array(np.arange(300.0) % 7))
    again = again.set_column(3, "cpu", pa.array([1.0, 2.0, *again.column("cpu").to_pylist()[2:]]))
    (folder / "e.csv").write_text(csv_of(again))
    (folder / "notes.txt").write_text("cpu was replaced in May\n")
    return folder


@pytest.fixture(scope="module")
def incidents(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "incidents.csv"
    path.write_text(
        "device,start,end,kind\n"
        + "".join(
            f"r{device},{START + STEP * (40 + 70 * index)},{START + STEP * (55 + 70 * index)},fan\n"
            for device in (0, 2, 5, 9, 77)
            for index in range(4)
        )
    )
    return path


@pytest.mark.parametrize("labelled_by", ["telemetry", "log"])
def test_the_dataset_is_that_of_one_process(
    files: Path, incidents: Path, cluster: Cluster, tmp_path: Path, labelled_by: str
) -> None:
    log = incidents if labelled_by == "log" else None
    done: list[tuple[int, int, str]] = []
    here = ingest([files], tmp_path / "here", TelemetrySettings(), log)
    there = ingest(
        [files], tmp_path / "there", TelemetrySettings(), log, lambda *what: done.append(what), cluster=cluster
    )
    assert len(here.parts) > 2
    assert here.meta.incidents > 10
    assert here.meta.details["counters"] == ["octets"]
    assert here.meta.details["merged"] > 290
    assert here.meta.details["reading"]["dropped"]["rows set aside, the same as another one"]["count"] > 10
    assert here.meta.details["reading"]["passed_over"].keys() == {str(files / "notes.txt")}
    assert content(there.path) == content(here.path)
    assert {what for *_, what in done} == {"telemetry read", "telemetry written"}
    assert all(
        max(d for d, _, w in done if w == what) == max(t for _, t, w in done if w == what) for *_, what in done
    )
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_worker_that_dies_changes_nothing(files: Path, tmp_path: Path) -> None:
    here = ingest([files], tmp_path / "here", TelemetrySettings())
    with local_cluster(2) as address, connect(address) as mortal, a_worker_dies(mortal):
        there = ingest([files], tmp_path / "there", TelemetrySettings(), cluster=mortal)
    assert content(there.path) == content(here.path)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "a.csv",
            "time,host,cpu\n1767225600,r1,4\n1767225660,r1,5\n1767225720,r1,x\n",
            r"a\.csv: column 'cpu', row 3",
        ),
        (
            "z.csv",
            "time,host,cpu,site\n1767225600,r1,4,5\n",
            r"z\.csv: column 'site' contains numbers here, but text",
        ),
        ("e.csv", csv_of(rows_of(9, range(2))), r"but other values .*; 'octets' .* distinguishes them"),
        ("z.jsonl", '{"time": 1767225600, "cpu": 4}\n{"time"', r"z\.jsonl: line 2: not a JSON object"),
    ],
)
def test_the_error_is_that_of_one_process(
    files: Path, cluster: Cluster, tmp_path: Path, name: str, text: str, says: str
) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    for path in files.iterdir():
        (bad / path.name).write_bytes(path.read_bytes())
    (bad / name).write_text(text)
    with pytest.raises(NetopsError, match=says) as here:
        ingest([bad], tmp_path / "out", TelemetrySettings())
    with pytest.raises(NetopsError) as there:
        ingest([bad], tmp_path / "out", TelemetrySettings(), cluster=cluster)
    assert str(there.value) == str(here.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad"]


def limit_files(size: int) -> None:
    """Let writes to a file beyond a number of bytes fail, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_is_one_line_and_leaves_nothing(files: Path, cluster: Cluster, tmp_path: Path) -> None:
    cluster.client.run(limit_files, 20_000)
    try:
        with pytest.raises(NetopsError, match=r"cannot be written: .*too large"):
            ingest([files], tmp_path / "out", TelemetrySettings(), cluster=cluster)
    finally:
        cluster.client.run(limit_files, resource.RLIM_INFINITY)
    assert list(tmp_path.iterdir()) == []


def test_the_stage_reads_on_the_cluster(
    files: Path, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETOPS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLRUN_DBPATH", raising=False)
    settings = read_settings(overrides=[f"compute.scheduler={cluster.address}"])
    stage = load_project().run_function(
        "ingest",
        params={"settings": settings.to_json(), "telemetry": str(files)},
        output_path=str(tmp_path / "run"),
        local=True,
        watch=False,
    )
    found = Path(mlrun.get_dataitem(stage.outputs["telemetry"]).local())
    here = ingest([files], tmp_path / "here", settings.telemetry)
    assert content(found) == content(here.path)
    assert not [path.name for path in found.parent.iterdir() if path.name.startswith(".")]


def test_the_command_reads_on_the_cluster(files: Path, cluster: Cluster, tmp_path: Path) -> None:
    command = ["features", "--telemetry", str(files), "--windows", "2m", "--set", "training.horizon=10m"]
    assert run([*command, "--out", str(tmp_path / "here")]) == 0
    assert run([*command, "--out", str(tmp_path / "there"), "--scheduler", cluster.address]) == 0
    assert content(tmp_path / "there") == content(tmp_path / "here")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "there"]


@pytest.mark.parametrize("name", ["d.jsonl", "a.csv"])
def test_a_table_that_is_not_held_is_the_same(files: Path, name: str) -> None:
    held, again = (file_sources([files / name], TelemetrySettings(), {}, holds=holds)[0] for holds in (True, False))
    assert pa.concat_tables(again.batches()) == pa.concat_tables(held.batches())
    assert (again.report, again.memory, again.size) == (held.report, held.memory, held.size)
    assert len(pickle.dumps(again)) < 400_000
    assert not again._table.held
