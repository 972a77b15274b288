"""Exports as people have them, each with what it should become (``cases/``)."""

import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from netops.errors import NetopsError
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.reading import ReadingReport
from netops.telemetry.settings import TelemetrySettings

CASES = Path(__file__).parent / "cases"
FOUR = ("r01", "r02", "r03", "r04")


def read(case: str, out: Path, **settings: Any) -> tuple[Dataset, list[str]]:
    dataset = ingest([CASES / case], out / "out", TelemetrySettings(**settings))
    return dataset, ReadingReport.from_dict(dataset.meta.details["reading"]).lines()


def devices(dataset: Dataset) -> list[str]:
    return pa.concat_tables(dataset.tables()).column("device").unique().to_pylist()


@pytest.mark.parametrize(
    ("case", "names", "metrics", "rows"),
    [
        ("fold-unknown-device-column/t.csv", ["1", "2", "3", "4"], ("cpu", "latency", "loss"), 160),
        ("fold-two-device-columns/t.csv", list(FOUR), ("cpu", "latency"), 160),
        ("fold-long-kpi-form/kpi.csv", list(FOUR), ("cpu", "latency"), 80),
        ("device-named-NA/t.csv", ["NA", "r01", "r03", "r04"], ("cpu", "latency", "loss"), 160),
        ("encoding-gzip-named-csv/t.csv", list(FOUR), ("cpu", "latency", "loss"), 160),
        ("unit-drops-metric/t.csv", list(FOUR), ("cpu", "latency", "loss"), 160),
        ("preamble-lines/comments.csv", list(FOUR), ("cpu", "latency", "loss"), 158),
        ("preamble-lines/sep.csv", list(FOUR), ("cpu", "latency", "loss"), 159),
        ("preamble-lines/title.csv", list(FOUR), ("cpu", "latency", "loss"), 157),
        ("time-formats/compact.csv", list(FOUR), ("cpu", "latency", "loss"), 160),
        ("time-formats/date-and-time.csv", list(FOUR), ("cpu", "latency", "loss"), 160),
        ("time-formats/slashes.csv", list(FOUR), ("cpu", "latency", "loss"), 160),
        ("time-formats/space-offset.csv", list(FOUR), ("cpu", "latency", "loss"), 160),
        ("time-formats/utc-suffix.csv", list(FOUR), ("cpu", "latency", "loss"), 160),
        ("time-1970-zero/t.csv", list(FOUR), ("cpu", "latency", "loss"), 160),
        ("folder-partial", ["r01", "r02", "r03"], ("cpu", "latency", "loss"), 480),
        ("cli-hints/t.csv", list(FOUR), ("%user",), 160),
    ],
)
def test_everything_in_it_is_read(
    tmp_path: Path, case: str, names: list[str], metrics: tuple[str, ...], rows: int
) -> None:
    dataset, _ = read(case, tmp_path)
    meta = dataset.meta
    assert (devices(dataset), meta.metrics, meta.samples) == (names, metrics, rows)
    assert meta.details["first"] == "2026-01-05T00:00:00Z"


@pytest.mark.parametrize(
    ("case", "line"),
    [
        ("fold-two-device-columns/t.csv", "device: instance, 4 devices; not host (constant)"),
        ("fold-unknown-device-column/t.csv", "device: machineID, 4 devices"),
        ("fold-long-kpi-form/kpi.csv", "shape: one row per metric (kpi_name, value)"),
        ("unit-drops-metric/t.csv", "read in %: cpu"),
        ("unit-drops-metric/t.csv", "read in ms: latency"),
        ("time-1970-zero/t.csv", "(before 2000): 1 (first: {case}: row 161 (line 162): 0)"),
        ("preamble-lines/title.csv", "lines 1 to 2 before the header skipped"),
        ("folder-partial", "sub/ (a folder; read it with --set telemetry.subfolders=true)"),
        ("time-formats/date-and-time.csv", "time: Date+Time (ISO 8601; UTC (no zone in the text"),
    ],
)
def test_what_was_decided_is_reported_in_a_line(tmp_path: Path, case: str, line: str) -> None:
    _, lines = read(case, tmp_path)
    assert [found for found in lines if line.replace("{case}", str(CASES / case)) in found], lines


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ("time-1970-excel-serial/t.csv", r"row 1 \(line 2\): 46027 is .* --set telemetry.time_format=excel"),
        ("time-before-1970/t.csv", r"row 161 \(line 162\): '1900-01-01T00:00:00Z' is before 1970"),
        ("time-formats/dayfirst.csv", r'--set "telemetry.time_format=%d.%m.%Y %H:%M:%S"'),
        ("time-formats/us-ampm.csv", r'--set "telemetry.time_format=%m/%d/%Y %I:%M:%S %p"'),
        ("cli-hints/when.csv", r"'when' contains times: --set telemetry.time=when"),
    ],
)
def test_what_cannot_be_known_is_refused_with_the_option(tmp_path: Path, case: str, problem: str) -> None:
    with pytest.raises(NetopsError, match=problem) as caught:
        read(case, tmp_path)
    assert str(caught.value).startswith(str(CASES / case))


@pytest.mark.parametrize(
    ("case", "settings"),
    [
        ("time-1970-excel-serial/t.csv", {"time_format": "excel"}),
        ("time-formats/dayfirst.csv", {"time_format": "%d.%m.%Y %H:%M:%S"}),
        ("time-formats/us-ampm.csv", {"time_format": "%m/%d/%Y %I:%M:%S %p"}),
        ("cli-hints/when.csv", {"time": ("when",)}),
    ],
)
def test_the_option_of_a_refusal_works(tmp_path: Path, case: str, settings: dict[str, Any]) -> None:
    dataset, _ = read(case, tmp_path, **settings)
    assert dataset.meta.details["first"] == "2026-01-05T00:00:00Z"
    assert dataset.meta.interval_seconds == 60


def test_subfolders_are_read_on_request(tmp_path: Path) -> None:
    dataset, lines = read("folder-partial", tmp_path, subfolders=True)
    assert devices(dataset) == list(FOUR)
    assert not [line for line in lines if line.startswith("passed over")]


def test_metrics_keep_names_with_quotes_and_backslashes(tmp_path: Path) -> None:
    dataset, _ = read("metric-name-quote-backslash/t.csv", tmp_path)
    assert dataset.meta.metrics == (
        'rate(cpu{job="node"}[5m])',
        "\\\\SRV01\\Processor(_Total)\\% Processor Time",
    )


def test_a_folder_lists_what_it_passes_over(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    shutil.copytree(CASES / "folder-partial", folder)
    (folder / "README.txt").write_text("These are notes,\nnot telemetry.\n")
    (folder / "report.pdf").write_bytes(b"%PDF-1.7")
    dataset = ingest([folder], tmp_path / "out", TelemetrySettings())
    assert dataset.meta.devices == 3
    over = dataset.meta.details["reading"]["passed_over"]
    assert {Path(name).name for name in over} == {"README.txt", "report.pdf", "sub"}


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    rows = [f'2026-01-05T00:{minute:02d}:00Z,r1,"two\nlines",{minute % 7}' for minute in range(30)]
    text = "\n".join(["timestamp,device,note,cpu", *rows, '2026-01-05T00:30:00Z,r1,"one",bad'])
    (tmp_path / "t.csv").write_text(text)
    assert text.splitlines().index('2026-01-05T00:30:00Z,r1,"one",bad') == 61
    with pytest.raises(NetopsError, match=r"column 'cpu', row 31 \(line 62\): 'bad' is not a number"):
        ingest([tmp_path / "t.csv"], tmp_path / "out", TelemetrySettings())


def test_a_folder_gives_nothing_from_outside_of_it(tmp_path: Path) -> None:
    folder, outside = tmp_path / "telemetry", tmp_path / "outside"
    shutil.copytree(CASES / "folder-partial", folder)
    shutil.copytree(CASES / "folder-partial", outside)
    (folder / "out.csv").symlink_to(outside / "a.csv")
    (folder / "days").symlink_to(outside)
    (folder / "again.csv").symlink_to(folder / "a.csv")
    (folder / "zero.csv").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.csv")
    dataset = ingest([folder], tmp_path / "out", TelemetrySettings(subfolders=True))
    over = dataset.meta.details["reading"]["passed_over"]
    assert {Path(name).name: why for name, why in over.items() if "link" in why} == {
        "out.csv": "a link out of the folder",
        "days": "a link to a folder; pass the folder itself",
    }
    assert {over[str(folder / name)] for name in ("zero.csv", "pipe.csv")} == {"neither a file nor a folder"}
