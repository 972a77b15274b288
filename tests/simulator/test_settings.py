import dataclasses
from pathlib import Path
from typing import Any

import pytest

from netops.errors import UsageError
from netops.simulator.settings import GeneratorSettings
from tests.simulator.examples import DEFAULT, ORIGINAL, changed, rich


def test_original_configuration_is_read_unchanged() -> None:
    settings = GeneratorSettings.from_yaml(ORIGINAL)
    assert settings.columns == ("cpu_utilization", "latency", "packet_loss", "throughput")
    assert (settings.errors.rate_in_ticks, settings.errors.length_in_ticks) == (150, 50)
    assert settings.metrics["throughput"].distribution_params.mu == 250
    assert not settings.metrics["throughput"].is_threshold_below


def test_default_configuration_has_every_kind_of_event() -> None:
    settings = GeneratorSettings.from_yaml(DEFAULT)
    kinds = {type(scenario).__name__ for scenario in settings.scenarios.values()}
    assert kinds >= {"Cascade", "Degradation", "MemoryLeak", "Flapping", "Congestion", "SiteOutage"}
    assert kinds >= {"Maintenance", "TrafficPeak", "SensorFault"}


def test_settings_become_plain_values() -> None:
    plain = GeneratorSettings.from_yaml(rich()).to_dict()
    assert plain["scenarios"]["cascade"]["kind"] == "Cascade"
    assert plain["metrics"]["count"]["distribution_params"] == {"lam": 4.0, "noise": 0.1}


SECTIONS = [
    "", "errors", "lookalikes", "timestamps", "deployment.device", "static.age", "static.model", "traffic",
    "topology", "metrics.load", "metrics.load.distribution_params", "metrics.load.validation",
    "metrics.load.validation.metric", "metrics.load.validation.distribution", "scenarios", "faults",
    *(f"scenarios.{name}" for name in rich()["scenarios"]),
]  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS)
def test_unknown_keys_are_refused(section: str) -> None:
    with pytest.raises(UsageError, match=r"unknown (key|kind) 'no_such_key'") as caught:
        GeneratorSettings.from_yaml(changed(rich(), f"{section}.no_such_key".lstrip("."), {}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("metrics.load.acuracy", 2, "did you mean 'accuracy'"),
        ("metrics.load.distribution", "norml", "did you mean 'normal'"),
        ("metrics.load.distribution_params.lam", 2, "unknown key 'lam'"),
        ("metrics.load.accuracy", -1, "below 0"),
        ("metrics.load.accuracy", 1.5, "whole number"),
        ("metrics.load.distribution_params.sigma", -1, "below 0"),
        ("metrics.load.validation.metric.min", 200, "min 200.0 is above max 100.0"),
        ("metrics.load.produce_max", "yes please", "true or false"),
        ("metrics", {}, "metrics: at least one"),
        ("deployment", {}, "deployment: at least one"),
        ("errors.rate_in_ticks", 0, "below 1"),
        ("errors.every", "1h", "are alternatives"),
        ("timestamps.interval", "soon", "not a valid duration"),
        ("scenarios.cascade.metrics", ["lod"], "unknown metric 'lod'; did you mean 'load'"),
        ("scenarios.maintenance.effects", {"load": 3}, "above 1"),
        ("scenarios.cascade.kind", "cascad", "did you mean 'cascade'"),
        ("scenarios.cascade.tail", 0.5, "unknown key 'tail'"),
        ("scenarios.cascade.weight", -1, "below 0"),
        ("scenarios.firmware_change.shift", {"lod": 3}, "did you mean 'load'"),
        ("scenarios.firmware_change.scale", {"load": -3}, "below 0"),
        ("scenarios", ["cascade"], "scenarios"),
        ("static.model.choices", [], "at least one"),
        ("static.age.max_range", 0, "not above"),
        ("static.age.kind", "rang", "did you mean 'range'"),
        ("deployment.device.faker", "city", "faker and pattern"),
        ("deployment.company.num_items", 3, "but there are 2 names"),
        ("static.load", {"kind": "choice", "choices": [1]}, "two columns would be named 'load'"),
        ("static.is_error", {"kind": "choice", "choices": [1]}, "two columns would be named 'is_error'"),
        ("static.x_is_error", {"kind": "choice", "choices": [1]}, "ground truth"),
        ("faults.jitter", 0.5, "above 0.2"),
    ],
)
def test_impossible_values_are_refused_in_one_line(path: str, value: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        GeneratorSettings.from_yaml(changed(rich(), path, value))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        GeneratorSettings.from_yaml(tmp_path / "none.yaml")


def test_settings_cannot_be_changed_by_accident() -> None:
    settings = GeneratorSettings.from_yaml(rich())
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.errors = None  # type: ignore[misc,assignment]
