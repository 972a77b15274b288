"""scikit-learn: extremely randomised trees."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from netops.config.binding import option
from netops.models.fitted import Floats
from netops.models.forest import Forest
from netops.models.onnx_graph import Graph
from netops.models.trees import Trees
from netops.training.families.protocol import FitData
from netops.training.families.space import Between, OneOf, Space

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.tree._tree import Tree

_NODES = (
    "children_left",
    "children_right",
    "feature",
    "threshold",
    "value",
    "missing_go_to_left",
    "weighted_n_node_samples",
)


@dataclass(frozen=True)
class ExtraTrees:
    """Hyper-parameters of the extra-trees family (ExtraTreesClassifier)."""

    takes_missing: ClassVar[bool] = True
    takes_pieces: ClassVar[bool] = False
    limit: ClassVar[float] = 1e9
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    rounds: ClassVar[str | None] = None
    effort: ClassVar[float] = 5.0
    space: ClassVar[Space] = {
        "max_depth": Between(8, 20),
        "min_samples_leaf": Between(3, 50, log=True),
        "max_features": OneOf(("sqrt", "log2", "all")),
    }

    enabled: bool = option(True, help="whether the family is trained")
    n_estimators: int = option(60, help="trees", minimum=1, maximum=2_000)
    max_depth: int = option(14, help="depth of a tree", minimum=1, maximum=32)
    min_samples_leaf: int = option(10, help="smallest number of rows of a leaf", minimum=1)
    max_features: str = option(
        "sqrt", help="features tried per split: their square root, log2, or all", choices=("sqrt", "log2", "all")
    )

    def load(self, threads: int) -> None:
        """Import scikit-learn."""
        import sklearn.ensemble  # noqa: F401

    def fit(self, data: FitData, seed: int, threads: int) -> "FittedExtraTrees":
        """Fit on weighted rows; the early-stopping rows are only used to evaluate the fit."""
        from sklearn.ensemble import ExtraTreesClassifier

        model = ExtraTreesClassifier(
            n_estimators=self.n_estimators,
            max_depth=self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
            max_features=None if self.max_features == "all" else self.max_features,
            n_jobs=threads,
            random_state=seed,
        )
        features, labels, weights = data.subset(early=False)
        # A split reads single columns: by rows, each value would be another line of the cache.
        model.fit(np.asfortranarray(features), labels, sample_weight=weights)
        for estimator in model.estimators_:
            _part_missing_from_known(estimator.tree_)
        return FittedExtraTrees(model)


def _part_missing_from_known(tree: "Tree") -> None:
    """Send every known value left in splits of missing from known values.

    If the known values of a node are equal, scikit-learn uses that value as threshold: the next float32
    above it would go the way of the missing ones. Other thresholds, drawn in float64, are never exactly a float32.
    """
    split = (tree.children_left >= 0) & (tree.missing_go_to_left == 0)
    tree.threshold[split & (tree.threshold == tree.threshold.astype(np.float32))] = ExtraTrees.limit


class FittedExtraTrees:
    """A fitted classifier."""

    def __init__(self, model: "ExtraTreesClassifier") -> None:
        self.model = model

    @property
    def iterations(self) -> int:
        """Trees."""
        return len(self.model.estimators_)

    def predict(self, scaled: Floats) -> npt.NDArray[np.float64]:
        """Score by scikit-learn itself."""
        risks: npt.NDArray[np.float64] = self.model.predict_proba(scaled)[:, 1]
        return risks

    def build(self, graph: Graph, scaled: str) -> str:
        """Add the trees to an ONNX graph."""
        return Forest(self.trees()).build(graph, scaled)

    def trees(self) -> Trees:
        """Read the trees out of the fitted estimators; their leaves add up to the risk."""
        fitted = [estimator.tree_ for estimator in self.model.estimators_]
        counts = [tree.node_count for tree in fitted]
        starts = np.cumsum([0, *counts]).astype(np.int64)
        nodes = {name: np.concatenate([getattr(tree, name) for tree in fitted]) for name in _NODES}
        leaf = nodes["children_left"] < 0
        first = np.repeat(starts[:-1], counts)
        left, right = (
            np.where(leaf, -1, nodes[f"children_{side}"] + first).astype(np.int32) for side in ("left", "right")
        )
        value = nodes["value"][:, 0, 1] / len(fitted)
        return Trees(
            base=0.0,
            strict=False,
            starts=starts,
            feature=np.where(leaf, -1, nodes["feature"]).astype(np.int32),
            threshold=np.where(leaf, np.float32(0), _float32_at_or_below(nodes["threshold"])),
            value=np.where(leaf, value, 0.0).astype(np.float32),
            left=left,
            right=right,
            missing_left=nodes["missing_go_to_left"].astype(bool) & ~leaf,
            cover=nodes["weighted_n_node_samples"].astype(np.float32),
        )


def _float32_at_or_below(threshold: npt.NDArray[np.float64]) -> Floats:
    """Round thresholds down: a float32 is at or below the rounded one when it is at or below the exact one."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)
