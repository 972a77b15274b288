"""Model folders for the tests of the server: random trees over the features of a spec, nothing is fitted."""

from pathlib import Path
from typing import Any

import numpy as np

from netops.config.durations import HOUR, MINUTE
from netops.features.spec import FeatureSpec
from netops.models.card import ModelCard
from netops.models.onnx_file import build_model, calibrated, save_model
from netops.models.platt import Platt
from netops.models.scaling import Scaling
from netops.models.trees import Trees

METRICS = ("cpu_utilization", "latency", "packet_loss", "throughput")
SPEC = FeatureSpec(METRICS, (MINUTE, HOUR))


def random_trees(features: int, trees: int, depth: int, seed: int) -> Trees:
    """Full trees with random splits; the first feature weighs most, so that high values mean a high risk."""
    random = np.random.default_rng(seed)
    inner, nodes = 2**depth - 1, 2 ** (depth + 1) - 1
    index = np.tile(np.arange(nodes), trees)
    root = np.repeat(np.arange(trees) * nodes, nodes)
    leaf = index >= inner
    feature = np.where(random.random(len(index)) < 0.3, 0, random.integers(0, features, len(index)))
    feature[index == 0] = 0
    threshold = random.normal(0.0, 0.5, len(index))
    threshold[index == 0] = 2.0
    # Leaves under the right half of a tree, where the first feature is above 2, raise the risk.
    right = index >= (nodes - 1) // 2 + inner // 2 + 1
    value = np.where(right, 6.0, -3.0) / trees + random.normal(0, 0.5 / trees, len(index))
    return Trees(
        base=0.0,
        strict=False,
        starts=np.arange(trees + 1, dtype=np.int64) * nodes,
        feature=np.where(leaf, -1, feature).astype(np.int32),
        threshold=threshold.astype(np.float32),
        value=np.where(leaf, value, 0).astype(np.float32),
        left=np.where(leaf, -1, root + 2 * index + 1).astype(np.int32),
        right=np.where(leaf, -1, root + 2 * index + 2).astype(np.int32),
        missing_left=np.ones(len(index), dtype=bool),
        cover=(2.0 ** (depth - np.floor(np.log2(index + 1)))).astype(np.float32),
    )


class _Fitted:
    iterations = 1

    def __init__(self, trees: Trees) -> None:
        self.trees = trees

    def build(self, graph, scaled: str) -> str:
        return self.trees.build(graph, scaled)

    def predict(self, scaled):
        raise NotImplementedError


def make_model(
    folder: Path,
    version: str = "v1",
    spec: FeatureSpec = SPEC,
    seed: int = 0,
    trees: int = 20,
    depth: int = 4,
    threshold: float = 0.5,
    calibration: Platt | None = None,
    **about: Any,
) -> Path:
    """Write a model folder: normal values lie around 0 ± 1, a first metric above 2 alerts; more of its card."""
    count = len(spec.names)
    scaling = Scaling(np.zeros(count), np.ones(count), 1e6, False)
    card = ModelCard(
        network="demo",
        family="xgboost",
        version=version,
        features=spec.names,
        spec=spec.to_dict(),
        metrics=spec.metrics,
        horizon=10 * MINUTE,
        threshold=threshold,
        **about,
    )
    model = build_model(scaling, _Fitted(random_trees(count, trees, depth, seed)))
    save_model(folder, calibrated(model, calibration) if calibration else model, card)
    return folder
