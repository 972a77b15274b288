"""Additive tree ensembles as flat arrays, one form for every tree library, and their ONNX node.

In a node, a sample goes left where its feature is at or below the threshold (``strict``: below), and where the
tree sends missing values to the left. Thresholds are float32, as the scaled features are.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.models.onnx_graph import ML_DOMAIN, Graph

if TYPE_CHECKING:
    from onnx import NodeProto

OPERATOR = "TreeEnsembleRegressor"


@dataclass(frozen=True)
class Trees:
    """An ensemble of T trees with N nodes in all; the sum of base and leaf values is the log-odds of the risk.

    Attributes
    ----------
    base : float
        Log-odds before any tree.
    strict : bool
        Whether a sample goes left only below the threshold, not at it.
    starts : int64 array, T + 1
        Tree i owns the nodes starts[i]:starts[i + 1]; the first is its root.
    feature : int32 array, N
        Feature of the split, -1 at a leaf.
    threshold, value : float32 arrays, N
        Of splits, and of leaves.
    left, right : int32 arrays, N
        Children, as indices into these arrays; -1 at a leaf.
    missing_left : bool array, N
        Whether NaN goes left.
    cover : float32 array, N
        Weight of the training rows that reached the node.
    """

    base: float
    strict: bool
    starts: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]
    value: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    missing_left: npt.NDArray[np.bool_]
    cover: npt.NDArray[np.float32]

    def build(self, graph: Graph, scaled: str) -> str:
        """Add the ensemble to an ONNX graph; name its output, n × 1 log-odds."""
        tree = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        node = np.arange(len(tree)) - self.starts[tree]
        leaf = self.feature < 0
        split_mode = "BRANCH_LT" if self.strict else "BRANCH_LEQ"
        start = self.starts[tree]
        return graph.add(
            OPERATOR,
            scaled,
            domain=ML_DOMAIN,
            n_targets=1,
            base_values=[self.base],
            nodes_treeids=tree.tolist(),
            nodes_nodeids=node.tolist(),
            nodes_featureids=np.where(leaf, 0, self.feature).tolist(),
            nodes_modes=np.where(leaf, "LEAF", split_mode).tolist(),
            nodes_values=np.where(leaf, 0.0, self.threshold).tolist(),
            nodes_truenodeids=np.where(leaf, 0, self.left - start).tolist(),
            nodes_falsenodeids=np.where(leaf, 0, self.right - start).tolist(),
            nodes_missing_value_tracks_true=self.missing_left.astype(int).tolist(),
            # The standard's attribute for visit frequencies: explanations read the covers from here.
            nodes_hitrates=self.cover.tolist(),
            target_ids=[0] * int(leaf.sum()),
            target_treeids=tree[leaf].tolist(),
            target_nodeids=node[leaf].tolist(),
            target_weights=self.value[leaf].tolist(),
        )

    def with_cover(self, features: npt.NDArray[np.float32], weights: npt.NDArray[np.float64]) -> "Trees":
        """Weigh the nodes again by sending n × F scaled rows down every tree."""
        cover = np.zeros(len(self.feature))
        rows = np.arange(len(features))
        for root in self.starts[:-1]:
            node = np.full(len(features), root)
            alive = rows
            cover[root] += weights.sum()
            while (alive := alive[self.feature[node[alive]] >= 0]).size:
                at = node[alive]
                node[alive] = self._next(at, features[alive, self.feature[at]])
                cover += np.bincount(node[alive], weights[alive], len(cover))
        return replace(self, cover=cover.astype(np.float32))

    def _next(self, node: npt.NDArray[np.intp], value: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        below = value < self.threshold[node] if self.strict else value <= self.threshold[node]
        return np.where(
            np.where(np.isnan(value), self.missing_left[node], below), self.left[node], self.right[node]
        )

    @classmethod
    def parse(cls, node: "NodeProto", width: int) -> "Trees":
        """Read an ensemble over ``width`` features back from the ONNX node that :meth:`build` wrote.

        Raises
        ------
        NetopsError
            If a child is outside its tree or before its parent, or a feature outside the width, which no ensemble
            written here has: compiled code goes down these trees unchecked.
        """
        from onnx import helper

        raw = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        tree = np.asarray(raw["nodes_treeids"], np.int64)
        starts = np.append(np.flatnonzero(np.diff(tree, prepend=-1)), len(tree)).astype(np.int64)
        modes = np.asarray(raw["nodes_modes"])
        leaf = modes == b"LEAF"
        first = starts[:-1][tree]
        children = [
            np.where(leaf, -1, np.asarray(raw[f"nodes_{side}nodeids"], np.int64) + first).astype(np.int32)
            for side in ("true", "false")
        ]
        last = starts[1:][tree]
        index = np.arange(len(tree))
        feature = np.where(leaf, -1, raw["nodes_featureids"]).astype(np.int32)
        astray = [(child[~leaf] <= index[~leaf]) | (child[~leaf] >= last[~leaf]) for child in children]
        if np.any(astray) or (feature[~leaf] < 0).any() or (feature >= width).any():
            raise NetopsError("the model file contains an invalid tree; train the model again")
        value = np.zeros(len(tree), np.float32)
        value[leaf] = raw["target_weights"]
        return cls(
            base=float(raw["base_values"][0]),
            strict=bool((modes == b"BRANCH_LT").any()),
            starts=starts,
            feature=feature,
            threshold=np.asarray(raw["nodes_values"], np.float32),
            value=value,
            left=children[0],
            right=children[1],
            missing_left=np.asarray(raw["nodes_missing_value_tracks_true"], bool),
            cover=np.asarray(raw["nodes_hitrates"], np.float32),
        )
