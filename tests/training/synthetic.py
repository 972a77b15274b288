"""A small features dataset with weak and strong precursors, made without the generator."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from netops.features.spec import FeatureSpec
from netops.telemetry.dataset import DEVICE_TYPE, INCIDENTS_SCHEMA, TIME_TYPE, Dataset, Meta, finish, write_part

SECOND = 1_000_000_000
INTERVAL = 5 * SECOND
START = 1_700_000_000 * SECOND
METRICS = ("cpu", "loss")


def spec() -> FeatureSpec:
    """Two metrics, one window."""
    return FeatureSpec(METRICS, (60 * SECOND,))


def make_dataset(
    out: Path,
    devices: int = 12,
    rows: int = 2_000,
    every: int = 400,
    seed: int = 0,
    parts: int = 3,
    scale: float = 1.0,
) -> Dataset:
    """Write feature vectors: an incident of 10 samples about every ``every`` samples, rising cpu before it."""
    out.mkdir(parents=True, exist_ok=True)
    names, incidents = spec().names, []
    for part, group in enumerate(np.array_split(np.arange(devices), parts)):
        tables = [_device(int(device), rows, every, seed, names, incidents, scale) for device in group]
        write_part(out, part, pa.concat_tables(tables).unify_dictionaries())
    meta = Meta(
        METRICS, ("company",), devices * rows, devices, len(incidents), 5.0, "synthetic", features=spec().to_dict()
    )
    columns = [
        pa.array([row[index] for row in incidents], INCIDENTS_SCHEMA.field(index).type) for index in range(3)
    ]
    return finish(out, meta, pa.table(columns, schema=INCIDENTS_SCHEMA))


def _device(
    device: int,
    rows: int,
    every: int,
    seed: int,
    names: tuple[str, ...],
    incidents: list[tuple[str, int, int]],
    scale: float,
) -> pa.Table:
    rng = np.random.default_rng((seed, device))
    times = START + np.arange(rows, dtype=np.int64) * INTERVAL
    error, rise = np.zeros(rows, bool), np.zeros(rows)
    first = int(rng.integers(every // 4, every))
    for start in range(first, rows - 20, every + int(rng.integers(0, 50))):
        error[start : start + 10] = True
        lead = slice(max(0, start - 60), start)
        rise[lead] = np.linspace(0.2, 1.0, 60)[-(start - max(0, start - 60)) :]
        incidents.append((f"d{device:03d}", int(times[start]), int(times[start + 10])))
    columns = {name: rng.normal(0, 1, rows) for name in names}
    columns["cpu"] += 2 * rise
    columns["cpu_mean_1m"] += 3 * rise
    columns["loss"] += rise * rng.random(rows)
    columns = {name: values * scale for name, values in columns.items()}
    columns["loss_missing_1m"] = np.zeros(rows)
    columns["cpu"][rng.random(rows) < 0.02] = np.nan
    name, company = np.array([f"d{device:03d}"] * rows), np.array([f"c{device % 2}"] * rows)
    keys = {
        "timestamp": pa.array(times, pa.int64()).cast(TIME_TYPE),
        "device": pa.array(name).cast(DEVICE_TYPE),
        "company": pa.array(company).cast(DEVICE_TYPE),
        "is_error": pa.array(error),
    }
    return pa.table(keys | {name: pa.array(values) for name, values in columns.items()})
