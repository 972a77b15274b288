"""Every key of the metrics YAML changes what is generated."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from netops.simulator import scenarios, settings
from tests.simulator.examples import changed, digest, rich, write

FAILURE = {
    "weight": 5, "duration": "15m", "spread": 0.1, "failure": 0.6, "jitter": 0.0, "metrics": ["loss", "load"],
    "stagger": 0.2, "depth": 0.9, "growth": 3.0, "variation": 0.0,
}  # fmt: skip
OTHERS: dict[str, dict[str, Any]] = {
    "errors": {"rate_in_ticks": 300},
    "lookalikes": {"every": "1h"},
    "timestamps": {"interval": "10s", "stochastic_interval": False},
    "deployment.company": {"names": ["gamma", "delta"]},
    "deployment.data_center": {"faker": "country", "num_items": 1},
    "deployment.device": {"pattern": "{number}"},
    "static.model": {"choices": ["b", "c"]},
    "static.age": {"min_range": 0, "max_range": 20, "as_integer": False},
    "traffic": {"level": 0.2, "daily": 0.1, "stagger": False, "noise": 0.2, "correlation_time": "5m"},
    "topology": {"uplinks": 2, "fan_out": 2, "hop_delay": "5s"},
    "metrics.load": {
        "accuracy": 1, "is_threshold_below": False, "past_based_value": True, "produce_max": False,
        "produce_min": False, "level": 3, "traffic": 20, "smoothness": 0.2, "correlation_time": "1m",
    },
    "metrics.load.distribution_params": {"mu": 51, "sigma": 12, "noise": 2},
    "metrics.count.distribution_params": {"lam": 5, "noise": 0.2},
    "metrics.load.validation.distribution": {"min": 30, "max": 70, "validate": False},
    "metrics.load.validation.metric": {"min": 10, "max": 90, "validate": False},
    "scenarios.cascade": {**FAILURE, "peaks": 8, "height": 0.4},
    "scenarios.degradation": FAILURE,
    "scenarios.memory_leak": {**FAILURE, "tail": 0.9},
    "scenarios.flapping": {**FAILURE, "period": "2m"},
    "scenarios.congestion": FAILURE,
    "scenarios.site_outage": FAILURE,
    "scenarios.sensor_fault": {
        "weight": 5, "duration": "9m", "spread": 0.1, "metrics": ["loss"], "frozen": 1.0,
    },
    "scenarios.maintenance": {
        "weight": 5, "duration": "9m", "spread": 0.1, "effects": {"loss": 1}, "ramp": 0.5, "variation": 0.0,
    },
    "scenarios.traffic_peak": {"weight": 5, "duration": "9m", "spread": 0.1, "height": 2, "variation": 0.0},
    "scenarios.traffic_growth": {"after": "2h", "per_day": 2},
    "scenarios.firmware_change": {
        "after": "2h", "rollout": "5m", "share": 1.0, "shift": {"loss": 3}, "scale": {"load": 3},
    },
    "scenarios.new_device_class": {"after": "1h", "share": 0.9, "shift": {"load": 9}, "scale": {"loss": 9}},
    "faults": {"missing": 0.1, "jitter": 0.2, "duplicates": 0.1, "late": 0.1, "late_by": "2m"},
}  # fmt: skip
CASES = [(f"{section}.{key}", value) for section, keys in OTHERS.items() for key, value in keys.items()]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> str:
    return digest(write(rich(), tmp_path_factory.mktemp("usual") / "out", devices=9))


@pytest.mark.parametrize(("path", "value"), CASES, ids=[path for path, _ in CASES])
def test_key_has_an_effect(path: str, value: Any, usual: str, tmp_path: Path) -> None:
    assert digest(write(changed(rich(), path, value), tmp_path / "out", devices=9)) != usual


@pytest.mark.parametrize("path", ["errors.length_in_ticks", "deployment.device.num_items", "errors.every"])
def test_alternative_keys_have_an_effect(path: str, tmp_path: Path) -> None:
    configuration = rich()
    if path == "errors.length_in_ticks":
        del configuration["scenarios"]["cascade"]["duration"]
    if path == "errors.every":
        del configuration["errors"]["rate_in_ticks"]
    value = "1h" if path == "errors.every" else 7
    one = write(configuration, tmp_path / "one", devices=None, duration=3600 * 10**9)
    other = write(changed(configuration, path, value), tmp_path / "other", devices=None, duration=3600 * 10**9)
    assert digest(one) != digest(other)


def test_list_of_keys_is_complete() -> None:
    tried = {(section.split(".")[0], key) for section, keys in OTHERS.items() for key in keys}
    elsewhere = {
        "length_in_ticks",
        "every",
        "num_items",
        "distribution",
        "distribution_params",
        "validation",
        "metric",
    }
    plain = {
        "errors": settings.ErrorSettings, "lookalikes": settings.LookalikeSettings,
        "timestamps": settings.TimestampSettings, "deployment": settings.LevelSettings,
        "traffic": settings.TrafficSettings, "topology": settings.TopologySettings,
        "metrics": settings.MetricSettings, "faults": settings.FaultSettings,
    }  # fmt: skip
    for section, kind in plain.items():
        for field in dataclasses.fields(kind):
            assert (section, field.name) in tried or field.name in elsewhere, f"{section}.{field.name}"
    for name, scenario in scenarios.KINDS.items():
        for field in dataclasses.fields(scenario):
            assert field.name in OTHERS[f"scenarios.{name}"], f"{name}.{field.name}"
