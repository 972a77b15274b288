"""scikit-learn: histogram-based gradient-boosted trees."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from netops.config.binding import option
from netops.models.fitted import Floats
from netops.models.onnx_graph import Graph
from netops.models.trees import Trees
from netops.training.families.protocol import FitData
from netops.training.families.space import Between, Space

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

#: Edges of the bins of a feature: with the bin of NaN, what scikit-learn can hold in a byte.
EDGES = 253
#: Training rows that the nodes are weighed by: scikit-learn counts rows, but the rows have weights.
COVER_ROWS = 10_000


@dataclass(frozen=True)
class Sklearn:
    """Hyper-parameters of the scikit-learn family (HistGradientBoostingClassifier)."""

    takes_missing: ClassVar[bool] = True
    takes_pieces: ClassVar[bool] = False
    limit: ClassVar[float] = 1e9
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    rounds: ClassVar[str | None] = "max_iter"
    effort: ClassVar[float] = 3.0
    space: ClassVar[Space] = {
        "max_leaf_nodes": Between(8, 128, log=True),
        "learning_rate": Between(0.02, 0.3, log=True),
        "min_samples_leaf": Between(5, 200, log=True),
        "l2_regularization": Between(0.01, 30.0, log=True),
    }

    enabled: bool = option(True, help="whether the family is trained")
    max_iter: int = option(200, help="trees; early stopping keeps fewer", minimum=1, maximum=5_000, was="trees")
    max_leaf_nodes: int = option(31, help="most leaves of a tree", minimum=2, maximum=1_024, was="leaves")
    learning_rate: float = option(0.1, help="shrinkage of each tree", minimum=1e-4, maximum=1)
    min_samples_leaf: int = option(20, help="smallest number of rows of a leaf", minimum=1, was="min_leaf_rows")
    l2_regularization: float = option(1.0, help="L2 penalty on leaf values", minimum=0, was="l2")
    n_iter_no_change: int = option(20, help="trees without gain before it stops", minimum=1, was="patience")

    def load(self, threads: int) -> None:
        """Import scikit-learn."""
        import sklearn.ensemble  # noqa: F401

    def fit(self, data: FitData, seed: int, threads: int) -> "FittedSklearn":
        """Fit on weighted rows, stopping early on the loss of those set aside."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits

        model = HistGradientBoostingClassifier(
            max_iter=self.max_iter,
            max_leaf_nodes=self.max_leaf_nodes,
            learning_rate=self.learning_rate,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2_regularization,
            early_stopping=data.stops_early,
            n_iter_no_change=self.n_iter_no_change,
            random_state=seed,
        )
        features, labels, weights = data.subset(early=False)
        bins = Bins.fit(features)
        held_out = self._held_out(data, bins) if data.stops_early else {}
        with threadpool_limits(threads):
            model.fit(bins.apply(features), labels, sample_weight=weights, **held_out)
        return FittedSklearn(model, bins, (features, weights), threads)

    def _held_out(self, data: FitData, bins: "Bins") -> dict[str, Floats | npt.NDArray[np.float64]]:
        features, labels, weights = data.subset(early=True)
        return {"X_val": bins.apply(features), "y_val": labels, "sample_weight_val": weights}


@dataclass(frozen=True)
class Bins:
    """Quantile bins of each feature: a value's code is the number of edges below it.

    scikit-learn can find bins of weighted rows itself, but sorts every column once per edge for it (a minute for
    36 columns). Given codes, it does not change them, and a split at code i + ½ is one at edge i.
    """

    edges: tuple[Floats, ...]

    @classmethod
    def fit(cls, features: Floats) -> "Bins":
        """Set the edges to the quantiles of n × F features."""
        return cls(tuple(_edges(features[:, index]) for index in range(features.shape[1])))

    def apply(self, features: Floats) -> Floats:
        """Turn features into codes; NaN stays."""
        codes = np.empty(features.shape, np.float32)
        for index, edges in enumerate(self.edges):
            codes[:, index] = np.searchsorted(edges, features[:, index])
        codes[np.isnan(features)] = np.nan
        return codes

    def thresholds(self, feature: npt.NDArray[np.int64], code: npt.NDArray[np.float64]) -> Floats:
        """Translate splits of codes into splits of features."""
        return np.array([self.edges[f][int(c)] for f, c in zip(feature, code, strict=True)], np.float32)


def _edges(column: Floats) -> Floats:
    known = np.sort(column[~np.isnan(column)])
    if known.size == 0:
        return known
    indices = np.linspace(0, known.size - 1, EDGES + 2)[1:-1].astype(np.int64)
    return np.unique(known[indices])


class FittedSklearn:
    """A fitted classifier, with a sample of its training rows to weigh the nodes by."""

    def __init__(
        self,
        model: "HistGradientBoostingClassifier",
        bins: Bins,
        rows: tuple[Floats, npt.NDArray[np.float64]],
        threads: int,
    ) -> None:
        self.model, self.bins, self._threads = model, bins, threads
        step = max(1, len(rows[0]) // COVER_ROWS)
        self._features, self._weights = rows[0][::step].copy(), rows[1][::step].copy()

    @property
    def iterations(self) -> int:
        """Fitted trees."""
        return int(self.model.n_iter_)

    def predict(self, scaled: Floats) -> npt.NDArray[np.float64]:
        """Score by scikit-learn itself."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(self._threads):
            return self.model.predict_proba(self.bins.apply(scaled))[:, 1]

    def build(self, graph: Graph, scaled: str) -> str:
        """Add the trees to an ONNX graph."""
        return self.trees().build(graph, scaled)

    def trees(self) -> Trees:
        """Read the ensemble out of the fitted predictors."""
        predictors = [trees[0].nodes for trees in self.model._predictors]
        starts = np.cumsum([0, *map(len, predictors)]).astype(np.int64)
        nodes = np.concatenate(predictors)
        first = np.repeat(starts[:-1], np.diff(starts))
        leaf = nodes["is_leaf"].astype(bool)
        left, right = (np.where(leaf, -1, nodes[side] + first).astype(np.int32) for side in ("left", "right"))
        threshold = np.zeros(len(nodes), np.float32)
        # A split of missing from known values has an infinite threshold, beyond every code.
        finite = ~leaf & (nodes["num_threshold"] < EDGES + 1)
        threshold[~leaf & ~finite] = np.inf
        threshold[finite] = self.bins.thresholds(nodes["feature_idx"][finite], nodes["num_threshold"][finite])
        trees = Trees(
            base=float(np.ravel(self.model._baseline_prediction)[0]),
            strict=False,
            starts=starts,
            feature=np.where(leaf, -1, nodes["feature_idx"]).astype(np.int32),
            threshold=threshold,
            value=np.where(leaf, nodes["value"], 0.0).astype(np.float32),
            left=left,
            right=right,
            missing_left=nodes["missing_go_to_left"].astype(bool) & ~leaf,
            cover=nodes["count"].astype(np.float32),
        )
        return trees.with_cover(self._features, self._weights)
