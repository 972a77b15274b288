"""Any table that pandas writes is read back equal, or refused in a line that names the file."""

import datetime
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
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
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le")
ENDINGS = (".csv", ".csv.gz", ".csv.xz", ".csv.bz2", ".zip", ".tsv", ".txt", ".jsonl", ".json", ".parquet")
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


def write(frame: pd.DataFrame, path: Path, encoding: str, delimiter: str, decimal: str) -> None:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix in (".json", ".jsonl"):
        lines = path.suffix == ".jsonl"
        frame.to_json(path, orient="records", lines=lines, force_ascii=False, double_precision=15)
    else:
        separator = "\t" if path.suffix == ".tsv" else delimiter
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnicodeWarning)  # some packings write UTF-16 without its mark
            frame.to_csv(path, index=False, encoding=encoding, sep=separator, decimal=decimal)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    frame=tables(),
    notation=st.sampled_from(sorted(NOTATIONS)),
    ending=st.sampled_from(ENDINGS),
    encoding=st.sampled_from(ENCODINGS),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    comma=st.booleans(),
    named=st.booleans(),
)
def test_what_pandas_writes_is_read_or_refused(
    frame: pd.DataFrame, notation: str, ending: str, encoding: str, delimiter: str, comma: bool, named: bool
) -> None:
    written = frame.assign(timestamp=frame.timestamp.dt.strftime(NOTATIONS[notation]))
    decimal = "," if comma and delimiter == ";" else "."
    options: dict[str, Any] = {"time_format": NOTATIONS[notation]} if named and notation in FORMATS else {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"t{ending}"
        write(written, path, encoding, delimiter, decimal)
        chosen = TelemetrySettings(counters=(), metrics=tuple(frame.columns[2:]), **options)
        refusal = None
        try:
            found = read(ingest([path], Path(folder) / "out", chosen))
        except NetopsError as error:
            refusal = str(error)
        if refusal is not None:
            assert refusal.startswith(str(path))
            assert "\n" not in refusal
            assert not (Path(folder) / "out").exists()
            return
    expected = frame.sort_values(["device", "timestamp"], kind="stable", ignore_index=True)
    assert found.device.tolist() == expected.device.tolist()
    assert (found.timestamp.to_numpy() == expected.timestamp.to_numpy()).all()
    for name in expected.columns[2:].intersection(found.columns):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)
