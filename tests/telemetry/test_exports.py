"""The exports of monitoring tools: the commands of docs/own-data.md read them whole."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from netops.config.binding import bind, parse_yaml
from netops.errors import NetopsError
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings

from .exports import EXPORTS, SAMPLES, START, VALUES

DOCS = Path(__file__).parents[2] / "docs" / "own-data.md"
COMMANDS = re.findall(r"`netops run (--telemetry [^`]*)`", DOCS.read_text(encoding="utf-8"))


def ingested(command: str, folder: Path) -> Dataset:
    """Read what a command names, with its settings."""
    _, file, *options = shlex.split(command)
    values: dict[str, Any] = {}
    for option in options[1::2]:
        key, _, value = option.removeprefix("telemetry.").partition("=")
        values[key] = str(folder / value) if key == "items" else parse_yaml(value)
    EXPORTS[file](folder / file.rstrip("/"))
    return ingest([folder / file], folder / "out", bind(TelemetrySettings, values, "telemetry.yaml"))


def test_the_table_names_every_export() -> None:
    assert {shlex.split(command)[1] for command in COMMANDS} >= set(EXPORTS)


@pytest.mark.parametrize("command", [c for c in COMMANDS if shlex.split(c)[1] in EXPORTS])
def test_an_export_is_read_whole(tmp_path: Path, command: str) -> None:
    dataset = ingested(command, tmp_path)
    table = pa.concat_tables(dataset.tables())
    assert table.column("device").to_pylist() == ["r1"] * SAMPLES + ["r2"] * SAMPLES
    seconds = table.column("timestamp").cast(pa.int64()).to_numpy() // 10**9 - START
    assert seconds.tolist() == [60 * row for row in range(SAMPLES)] * 2
    assert len(dataset.meta.metrics) == 2
    for start, metric in ((0, "cpu"), (2, "mem")):
        name = next(name for name in dataset.meta.metrics if name.endswith(metric))
        np.testing.assert_allclose(table.column(name).to_numpy(), VALUES[:, start : start + 2].T.ravel())


def test_ids_of_items_need_a_map(tmp_path: Path) -> None:
    EXPORTS["history.csv"](tmp_path / "history.csv")
    with pytest.raises(NetopsError, match=r"'itemid' contains ids of items; .* --set telemetry.items=items.csv"):
        ingest([tmp_path / "history.csv"], tmp_path / "out", TelemetrySettings())
    (tmp_path / "items.csv").write_text("itemid,host,key_\n23000,r1,cpu\n")
    with pytest.raises(NetopsError, match="not in telemetry: items: 23001, 23002, 23003"):
        ingest([tmp_path / "history.csv"], tmp_path / "out", TelemetrySettings(items=str(tmp_path / "items.csv")))
