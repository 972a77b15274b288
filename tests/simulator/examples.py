"""A small network that uses everything, and digests of what it gives."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from netops.config.durations import HOUR
from netops.simulator.generate import generate
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.dataset import Dataset

ROOT = Path(__file__).parents[2]
ORIGINAL = ROOT / "tests" / "data" / "original_generator.yaml"
DEFAULT = ROOT / "configurations" / "metrics.yaml"
START = 1_767_225_600_000_000_000


def rich() -> dict[str, Any]:
    """Return a configuration in which no key is idle."""
    failure = {"weight": 1, "duration": "12m", "spread": 0.3, "failure": 0.4, "depth": 0.5, "growth": 1.5}
    failure |= {"variation": 0.2, "jitter": 0.1, "stagger": 0.05, "metrics": ["load", "loss", "flow", "count"]}
    validation = {
        "distribution": {"min": 20, "max": 80, "validate": True},
        "metric": {"min": 0, "max": 100, "validate": True},
    }
    return {
        "errors": {"rate_in_ticks": 200, "length_in_ticks": 60},
        "lookalikes": {"every": "30m"},
        "timestamps": {"interval": "5s", "stochastic_interval": True},
        "deployment": {
            "company": {"names": ["alpha", "beta"]},
            "data_center": {"faker": "city", "num_items": 2},
            "device": {"pattern": "{company}-{data_center}-{number}", "num_items": 3},
        },
        "static": {
            "model": {"kind": "choice", "choices": ["a", "b"]},
            "age": {"kind": "range", "min_range": 1, "max_range": 9, "as_integer": True},
        },
        "traffic": {"level": 0.1, "daily": 0.3, "stagger": True, "noise": 0.1, "correlation_time": "10m"},
        "topology": {"uplinks": 1, "fan_out": 1, "hop_delay": "60s"},
        "metrics": {
            "load": {
                "accuracy": 2,
                "distribution": "normal",
                "distribution_params": {"mu": 50, "sigma": 15, "noise": 1},
                "is_threshold_below": True,
                "past_based_value": False,
                "produce_max": True,
                "produce_min": True,
                "validation": validation,
                "level": 2,
                "traffic": 10,
                "smoothness": 0.5,
                "correlation_time": "2m",
            },
            "loss": {"distribution_params": {"mu": 1, "sigma": 1}, "validation": {"metric": {"max": 50}}},
            "flow": {"distribution_params": {"mu": 0, "sigma": 1}, "past_based_value": True, "accuracy": 3},
            "count": {"distribution": "poisson", "distribution_params": {"lam": 4, "noise": 0.1}, "traffic": 1},
        },
        "scenarios": {
            "cascade": {**failure, "peaks": 4, "height": 0.8},
            "degradation": failure,
            "memory_leak": {**failure, "tail": 0.3},
            "flapping": {**failure, "period": "1m"},
            "congestion": failure,
            "site_outage": failure,
            "sensor_fault": {"weight": 2, "duration": "5m", "spread": 0.3, "metrics": ["load"], "frozen": 0.5},
            "maintenance": {
                "weight": 2,
                "duration": "5m",
                "spread": 0.3,
                "effects": {"load": 0.5, "flow": -0.5},
                "ramp": 0.1,
                "variation": 0.2,
            },
            "traffic_peak": {"weight": 2, "duration": "6m", "spread": 0.3, "height": 0.8, "variation": 0.2},
            "traffic_growth": {"after": "1h", "per_day": 0.5},
            "firmware_change": {
                "after": "1h",
                "rollout": "1h",
                "share": 0.5,
                "shift": {"load": 5},
                "scale": {"loss": 2},
            },
            "new_device_class": {"after": "2h", "share": 0.4, "shift": {"loss": 2}, "scale": {"load": 0.5}},
        },
        "faults": {"missing": 0.02, "jitter": 0.1, "duplicates": 0.02, "late": 0.02, "late_by": "30s"},
    }


def changed(configuration: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Copy a configuration with one key changed: ``"errors.rate_in_ticks"``."""
    key, _, rest = path.partition(".")
    return {**configuration, key: changed(configuration.get(key) or {}, rest, value) if rest else value}


def write(configuration: Any, out: Path, **arguments: Any) -> Dataset:
    """Generate a small dataset."""
    arguments = {"devices": 6, "duration": 4 * HOUR, "start": START, "seed": 5} | arguments
    return generate(GeneratorSettings.from_yaml(configuration), out, **arguments)


def table(dataset: Dataset) -> pa.Table:
    """Read all samples."""
    return pa.concat_tables(dataset.tables()).unify_dictionaries()


def digest(dataset: Dataset) -> str:
    """Digest all samples and incidents."""
    hashed = hashlib.sha256()
    for part in (table(dataset), dataset.incidents()):
        hashed.update(repr(part.schema.names).encode())
        for column in part.columns:
            hashed.update(column_bytes(column))
    return hashed.hexdigest()


def column_bytes(column: pa.ChunkedArray) -> bytes:
    """Return the values of a column as bytes, however it is encoded and cut."""
    if pa.types.is_dictionary(column.type):
        codes = column.combine_chunks().indices.to_numpy().tobytes() if len(column) else b""
        return codes + repr(column.chunk(0).dictionary.to_pylist() if len(column) else []).encode()
    values = column.to_numpy()
    return repr(values.tolist()).encode() if values.dtype == object else values.tobytes()
