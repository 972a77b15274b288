"""Generated telemetry for the benchmarks that work on files."""

from pathlib import Path

from netops.config.durations import HOUR, MINUTE, SECOND
from netops.features.spec import FeatureSpec
from netops.simulator.generate import generate
from netops.simulator.settings import GeneratorSettings
from netops.telemetry.dataset import Dataset

CONFIGURATION = Path(__file__).parents[1] / "configurations" / "metrics.yaml"
START = 1_767_225_600 * SECOND


def make(out: Path, devices: int, ticks: int, workers: int = 2, seed: int = 0) -> Dataset:
    """Generate so many devices × samples at 5 s."""
    settings = GeneratorSettings.from_yaml(CONFIGURATION)
    return generate(
        settings,
        out,
        devices=devices,
        duration=ticks * 5 * SECOND,
        interval=5 * SECOND,
        start=START,
        seed=seed,
        workers=workers,
    )


def spec_of(telemetry: Dataset) -> FeatureSpec:
    """Give the default features: mean, min, max, std over 1m and 1h."""
    return FeatureSpec(telemetry.meta.metrics, (MINUTE, HOUR))
