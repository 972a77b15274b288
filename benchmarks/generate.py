"""Generate telemetry in memory, against the original generator; the default network, its four metrics."""

import os
import time
from typing import Any

import numpy as np

from netops.config.binding import read_yaml
from netops.config.durations import HOUR
from netops.simulator.generate import generate_arrays
from netops.simulator.settings import GeneratorSettings

from .report import fastest, report
from .telemetry import CONFIGURATION, START

_THEIR_KEYS = ("accuracy", "distribution", "distribution_params", "is_threshold_below", "validation")
_THEIR_SECONDS = 4.0


def ours() -> float:
    """Samples per second: 120 devices × 20 h at 5 s, everything that the default configuration has."""
    settings = GeneratorSettings.from_yaml(CONFIGURATION)

    def generate() -> None:
        generate_arrays(settings, devices=120, duration=20 * HOUR, start=START, seed=1, workers=os.cpu_count() or 1)

    generate()
    return 120 * 20 * 720 / fastest(generate)


def theirs() -> float:
    """Samples per second of metrics-gen, on the part of the same configuration that it knows."""
    from metrics_gen.deployment_generator import deployment_generator
    from metrics_gen.metrics_generator import Generator_df

    configuration = _their_configuration()
    fleet = deployment_generator().generate_deployment(configuration)
    ticks = Generator_df(configuration, user_hierarchy=fleet, initial_timestamp=START / 1e9).generate(as_df=True)
    start, samples = time.perf_counter(), 0
    while time.perf_counter() - start < _THEIR_SECONDS:
        samples += len(next(ticks))
    return samples / (time.perf_counter() - start)


def _their_configuration() -> dict[str, Any]:
    metrics = read_yaml(CONFIGURATION)["metrics"]
    for name, metric in metrics.items():
        metrics[name] = {key: value for key, value in metric.items() if key in _THEIR_KEYS}
        metrics[name]["validation"].setdefault("distribution", {})
    return {
        "errors": {"rate_in_ticks": 150, "length_in_ticks": 50},
        "timestamps": {"interval": "5s"},
        "deployment": {"device": {"faker": "msisdn", "num_items": 100}},
        "metrics": metrics,
    }


def main() -> None:
    """Measure both sides."""
    np.seterr(all="ignore")
    report("generate", ours(), "metrics-gen", theirs())


if __name__ == "__main__":
    main()
