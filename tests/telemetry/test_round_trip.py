"""Any table that pandas writes is read back equal, or refused in a line that names the file."""

import datetime
import re
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, event, given, reject, settings
from hypothesis import strategies as st

from netops.errors import NetopsError
from netops.telemetry.ingest import ingest
from netops.telemetry.settings import TelemetrySettings

from .test_ingest import read

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
DEVICES = NAMES.map(str.strip).filter(bool)
NOTATIONS = {
    "iso": "%Y-%m-%dT%H:%M:%SZ",
    "slashes": "%Y/%m/%d %H:%M:%S",
    "utc": "%Y-%m-%d %H:%M:%S UTC",
    "offset": "%Y-%m-%d %H:%M:%S +0000",
    "compact": "%Y%m%d%H%M%S",
    "german": "%d.%m.%Y %H:%M:%S",
    "american": "%m/%d/%Y %I:%M:%S %p",
}
FORMATS = ("slashes", "compact", "german", "american")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252")
TEXT = (".csv", ".csv.gz", ".csv.xz", ".csv.bz2", ".zip", ".tsv", ".txt")
ENDINGS = (*TEXT, ".jsonl", ".json", ".parquet", ".feather", ".xlsx")
SHAPES = ("wide", "long", "legends")
START = datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Draw telemetry of a few devices with names of any characters."""
    devices = draw(st.lists(DEVICES, min_size=1, max_size=3, unique=True))
    metric = draw(NAMES.map(lambda name: f"m{name}"))
    seed, samples = draw(st.integers(0, 99)), draw(st.integers(3, 30))
    times = pd.date_range(START, periods=samples, freq=draw(st.sampled_from(["1s", "5min", "7h"])))
    values = np.random.default_rng(seed)
    frames = [
        pd.DataFrame(
            {"timestamp": times, "device": device}
            | {metric: values.normal(50, 20, samples).round(3), "b": values.random(samples)}
        )
        for device in devices
    ]
    return pd.concat(frames).sort_values(["timestamp", "device"], kind="stable", ignore_index=True)


def shaped(frame: pd.DataFrame, shape: str) -> pd.DataFrame:
    """Write the same samples with a row per metric, or with the device in the names of the columns."""
    if shape == "long":
        return frame.melt(["timestamp", "device"], var_name="metric_name", value_name="value")
    if shape == "legends":
        long = frame.melt(["timestamp", "device"], var_name="metric_name", value_name="value")
        names = long.device.str.replace("\\", "\\\\").str.replace('"', '\\"')
        legends = long.metric_name + '{instance="' + names + '"}'
        wide = long.assign(legend=legends).pivot(index="timestamp", columns="legend", values="value")
        return wide.rename_axis(columns=None).reset_index()
    return frame


def write(frame: pd.DataFrame, path: Path, encoding: str, delimiter: str, decimal: str) -> None:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".feather":
        frame.to_feather(path)
    elif path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    elif path.suffix in (".json", ".jsonl"):
        lines = path.suffix == ".jsonl"
        frame.to_json(path, orient="records", lines=lines, force_ascii=False, double_precision=15)
    else:
        separator = "\t" if path.suffix == ".tsv" else delimiter
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnicodeWarning)  # some packings write UTF-16 without its mark
            frame.to_csv(path, index=False, encoding=encoding, sep=separator, decimal=decimal)


def in_time(frame: pd.DataFrame, notation: str, is_typed: bool) -> pd.DataFrame:
    """Write the times as text, or leave them typed; Excel knows no zones."""
    if is_typed:
        return frame.assign(timestamp=frame.timestamp.dt.tz_localize(None))
    return frame.assign(timestamp=frame.timestamp.dt.strftime(NOTATIONS[notation]))


def can_be_written(frame: pd.DataFrame, encoding: str) -> bool:
    texts = [*frame.columns, *frame.device.unique()]
    try:
        "".join(texts).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    frame=tables(),
    shape=st.sampled_from(SHAPES),
    notation=st.sampled_from(sorted(NOTATIONS)),
    ending=st.sampled_from(ENDINGS),
    encoding=st.sampled_from(ENCODINGS),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    comma=st.booleans(),
    named=st.booleans(),
    typed=st.booleans(),
)
def test_what_pandas_writes_is_read_or_refused(
    frame: pd.DataFrame,
    shape: str,
    notation: str,
    ending: str,
    encoding: str,
    delimiter: str,
    comma: bool,
    named: bool,
    typed: bool,
) -> None:
    if encoding == "cp1252" and not (ending in TEXT and can_be_written(frame, encoding)):
        encoding = "utf-8"
    if shape == "legends":
        frame = frame.rename(columns={frame.columns[2]: "m"})
    is_typed = typed and ending in (".parquet", ".feather", ".xlsx")
    decimal = "," if comma and delimiter == ";" else "."
    options: dict[str, Any] = {"encoding": encoding} if encoding == "cp1252" else {}
    if named and notation in FORMATS and not is_typed:
        options["time_format"] = NOTATIONS[notation]
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"t{ending}"
        try:
            write(in_time(shaped(frame, shape), notation, is_typed), path, encoding, delimiter, decimal)
        except ValueError:
            reject()  # a name that this kind of file cannot hold
        chosen = TelemetrySettings(counters=(), metrics=tuple(frame.columns[2:]), **options)
        refusal = None
        try:
            found = read(ingest([path], Path(folder) / "out", chosen))
        except NetopsError as error:
            refusal = str(error)
        if refusal is not None:
            event("refused: " + re.sub(r"'.*'|\d+", "…", refusal.removeprefix(f"{path}: "))[:60])
            assert refusal.startswith(str(path))
            assert "\n" not in refusal
            assert not (Path(folder) / "out").exists()
            return
    event(f"read: {shape}")
    expected = frame.sort_values(["device", "timestamp"], kind="stable", ignore_index=True)
    assert found.device.tolist() == expected.device.tolist()
    assert (found.timestamp.to_numpy() == expected.timestamp.to_numpy()).all()
    for name in expected.columns[2:]:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-15)  # JSON: 15 decimals
