"""A calibrated model that brings its proof: random telemetry, hot at times, with the risks of the batch."""

from pathlib import Path

import numpy as np

from netops.config.durations import SECOND
from netops.features.engine import FeatureEngine
from netops.features.spec import FeatureSpec
from netops.models.card import read_card, write_card
from netops.models.onnx_file import Scorer
from netops.models.platt import Platt
from netops.training.proof import Excerpt, write_excerpts
from tests.serving.models import SPEC, make_model

CALIBRATION = Platt(1.5, -0.5, 1000, 50)
START = 1_700_000_000 * SECOND


def proven_model(folder: Path, version: str = "v1", seed: int = 0, spec: FeatureSpec = SPEC) -> Path:
    """Write the folder."""
    make_model(folder, version, seed=seed, calibration=CALIBRATION, spec=spec)
    card = read_card(folder).updated(calibration=CALIBRATION.to_dict())
    write_card(folder, card)
    write_excerpts(folder, card, [_excerpt(folder, number, spec) for number in range(2)])
    return folder


def _excerpt(folder: Path, number: int, spec: FeatureSpec) -> Excerpt:
    random = np.random.default_rng(number)
    times = START + np.arange(900, dtype=np.int64) * 5 * SECOND
    values = random.normal(size=(900, len(SPEC.metrics)))
    values[850:, 0] += 4
    values[random.random(values.shape) < 0.02] = np.nan
    features, _ = FeatureEngine(spec).update(np.zeros(900, np.int64), times, values)
    risks = Scorer(folder).score(features)
    risks[:800] = np.nan
    return Excerpt(f"leaf-{number + 1}", times, values, risks, CALIBRATION.apply(risks))
