"""Compile the kernels ahead (``python -m tools.compile_kernels``): the first run should not wait for it.

Numba stores compiled code next to the modules; this executes once everything that a run compiles.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netops.alerting.settings import AlertSettings
from netops.config.durations import HOUR, MINUTE, SECOND
from netops.evaluation.assessment import assess, assess_baseline
from netops.evaluation.selection import choose_best
from netops.features.build import build_features
from netops.features.spec import FeatureSpec
from netops.models.card import ModelCard
from netops.models.onnx_file import build_model, save_model
from netops.models.platt import Platt
from netops.models.scaling import Scaling
from netops.models.vote import VOTE, Member, build_vote
from netops.serving.engine.champion import Champion, load_model
from netops.serving.engine.fleet_state import compile_kernels
from netops.simulator.generate import generate
from netops.training.examples import prepare_examples
from netops.training.families.extra_trees import ExtraTrees
from netops.training.families.protocol import Family, FitData
from netops.training.families.xgboost import XGBoost
from netops.training.settings import TrainingSettings
from netops.workflows.settings import read_settings
from netops.workflows.stages.preparation import spec_for


def main() -> None:
    """Generate a tiny network, build its features, evaluate random risks on it, and serve a tiny model."""
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
        serve_vote(Path(scratch) / "model", examples.names, spec)


def serve_vote(folder: Path, names: Sequence[str], spec: FeatureSpec) -> None:
    """Score and explain with a vote of a boosted tree and a forest, which have all kernels of a served model."""
    random, width = np.random.default_rng(0), len(names)
    scaling = Scaling(np.zeros(width), np.ones(width), 1e9, fill=False)
    labels = np.repeat(np.float32([0, 1]), 100)
    data = FitData(random.normal(size=(200, width)).astype(np.float32), labels, np.ones(200), np.zeros(200, bool))
    families: tuple[Family, ...] = XGBoost(n_estimators=1), ExtraTrees(n_estimators=1)
    members = {
        type(family).__name__: Member(build_model(scaling, family.fit(data, 0, 1)), Platt(1.0, 0.0, 1, 1))
        for family in families
    }
    card = ModelCard("demo", VOTE, "v", tuple(names), spec.to_dict(), spec.metrics, 10 * MINUTE, threshold=0.5)
    save_model(folder, build_vote(members), card)
    load_model(Champion("v", folder))


if __name__ == "__main__":
    main()
