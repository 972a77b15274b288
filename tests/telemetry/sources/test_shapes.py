"""Tables in the shapes that programs write them in, and hints that work where a shape says too little."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from netops.errors import NetopsError
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings
from tests.telemetry.test_ingest import read

TIMES = pd.date_range("2026-01-05", periods=30, freq="1min", tz="UTC")
FRAME = (
    pd.concat(
        [
            pd.DataFrame({"timestamp": TIMES, "device": name, "cpu": [7 * row % 30 for row in range(30)]})
            for name in ("r1", "r2")
        ]
    )
    .assign(cpu=lambda frame: frame.cpu + 0.5 + 100 * (frame.device == "r2"), temp=lambda frame: 0.25 * frame.cpu)
    .reset_index(drop=True)
)
TEXT = FRAME.assign(timestamp=FRAME.timestamp.astype(str))


def elasticsearch(path: Path) -> None:
    sources = [
        {"@timestamp": row.timestamp, "host": {"name": row.device}, "cpu": row.cpu, "temp": row.temp}
        for row in TEXT.itertuples()
    ]
    path.write_text(json.dumps({"took": 3, "hits": {"total": 60, "hits": [{"_source": one} for one in sources]}}))


def nested(path: Path) -> None:
    TEXT.assign(tags=[["core", "edge"]] * len(TEXT)).to_json(path, orient="records", lines=True)


def sensors(path: Path) -> None:
    long = TEXT.melt(["timestamp", "device"], var_name="sensor_name", value_name="reading")
    long.to_csv(path, index=False)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("t.json", elasticsearch),
        ("t.json", lambda path: TEXT.to_json(path, orient="split")),
        ("t.json", lambda path: TEXT.to_json(path, orient="split", index=False)),
        ("t.json", lambda path: TEXT.to_json(path)),
        ("t.jsonl", nested),
        ("t.parquet", lambda path: FRAME.set_index(["device", "timestamp"]).to_parquet(path)),
        ("t.parquet", lambda path: FRAME.assign(tags=[["a"]] * len(FRAME)).to_parquet(path)),
        ("t.csv", sensors),
    ],
)
def test_it_is_read_as_it_is(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / name)
    dataset = ingest([tmp_path / name], tmp_path / "out", TelemetrySettings(counters=(), metrics=("cpu", "temp")))
    found = read(dataset)
    pd.testing.assert_frame_equal(found[["cpu", "temp"]], FRAME[["cpu", "temp"]], check_names=False)
    assert found.device.tolist() == FRAME.device.tolist()
    assert found.timestamp.tolist() == FRAME.timestamp.tolist()


@pytest.mark.parametrize(
    ("write", "hint"),
    [
        (lambda path: TEXT.rename(columns={"device": "name"}).to_csv(path, index=False), "device=name"),
        (
            lambda path: (
                TEXT.rename(columns={"device": "tag_host"})
                .melt(["timestamp", "tag_host"], var_name="measurement")
                .to_csv(path, index=False)
            ),
            "device=tag_host",
        ),
        (
            lambda path: TEXT.assign(cpu=TEXT.cpu.astype(str).replace("3.5", "-")).to_csv(path, index=False),
            'nulls=["-"]\'',
        ),
    ],
)
def test_the_hint_works(tmp_path: Path, write: Callable[[Path], None], hint: str) -> None:
    write(tmp_path / "t.csv")
    with pytest.raises(NetopsError) as refused:
        ingest([tmp_path / "t.csv"], tmp_path / "out", TelemetrySettings())
    assert f"telemetry.{hint}" in str(refused.value)
    name, _, value = hint.rstrip("'").partition("=")
    chosen = (value,) if value[0] != "[" else tuple(json.loads(value))
    dataset = ingest([tmp_path / "t.csv"], tmp_path / "out", TelemetrySettings(**{name: chosen}))
    assert (dataset.meta.devices, dataset.meta.samples, dataset.meta.metrics) == (2, 60, ("cpu", "temp"))
