"""Compile the kernels ahead (``python -m tools.compile_kernels``): the first run should not wait for it.

Numba stores compiled code next to the modules; this executes once everything that a run compiles.
"""

import tempfile
from pathlib import Path

import numpy as np

from netops.alerting.settings import AlertSettings
from netops.config.durations import HOUR, MINUTE, SECOND
from netops.evaluation.assessment import assess, assess_baseline
from netops.evaluation.selection import choose_best
from netops.features.build import build_features
from netops.serving.engine.fleet_state import compile_kernels
from netops.simulator.generate import generate
from netops.training.examples import prepare_examples
from netops.training.settings import TrainingSettings
from netops.workflows.settings import read_settings
from netops.workflows.stages.preparation import spec_for


def main() -> None:
    """Generate a tiny network, build its features, and evaluate random risks on it."""
    settings = read_settings(overrides=["metrics.errors.every=1h"])
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        telemetry = generate(
            settings.metrics,
            Path(scratch) / "telemetry",
            devices=8,
            duration=8 * HOUR,
            interval=10 * SECOND,
            start=0,
            seed=0,
        )
        spec = spec_for(telemetry, settings)
        compile_kernels(spec, AlertSettings().policy(0.5, 10 * MINUTE))
        features = build_features(telemetry, Path(scratch) / "features", spec)
        examples = prepare_examples(features, TrainingSettings(), Path(scratch) / "work")
        random = np.random.default_rng(0)
        chance = {split: random.random(len(examples.array(split))) for split in ("validation", "test")}
        assess(examples, chance["validation"], chance["test"], AlertSettings())
        assess_baseline(examples, AlertSettings())
        choose_best(
            examples.evaluation_split("validation"), dict.fromkeys(("one", "another"), chance["validation"])
        )


if __name__ == "__main__":
    main()
