"""Forests: trees whose leaves add up to the risk itself, not to its log-odds.

Averaging probabilities ranks better than averaging the log-odds of the leaves, most of which hold no failure. The
file turns the average into log-odds, which all other models give; so do the contributions.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.models.onnx_graph import Graph
from netops.models.trees import Trees

Floats = npt.NDArray[np.float64]

#: Added to both the risk and its complement: where no tree has seen a failure, log-odds stay finite, at -13.
SMALLEST = 2e-6


@dataclass(frozen=True)
class Forest:
    """A tree ensemble whose sum is the risk.

    Attributes
    ----------
    trees : Trees
        Base 0; leaf values are the fraction of failures by the number of trees.
    """

    trees: Trees

    def build(self, graph: Graph, scaled: str) -> str:
        """Add the forest to an ONNX graph; name its output, n × 1 log-odds."""
        smallest, one = (
            graph.constant(name, np.array(value, np.float32))
            for name, value in (("forest_smallest", SMALLEST), ("forest_one", 1.0))
        )
        risk = self.trees.build(graph, scaled)
        odds = graph.add(
            "Div", graph.add("Add", risk, smallest), graph.add("Add", graph.add("Sub", one, risk), smallest)
        )
        return graph.add("Log", odds)


def log_odds(risk: Floats) -> Floats:
    """Return the log-odds that the file gives for n risks."""
    held = np.clip(risk, 0.0, 1.0)
    return np.log((held + SMALLEST) / (1 - held + SMALLEST))
