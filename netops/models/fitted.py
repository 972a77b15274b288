"""Interface of a fitted model of any family: scoring and export to ONNX."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from netops.models.onnx_graph import Graph

Floats = npt.NDArray[np.float32]


class Fitted(Protocol):
    """A fitted model of any family."""

    @property
    def iterations(self) -> int:
        """Number of trees or epochs after early stopping."""

    def predict(self, scaled: Floats) -> npt.NDArray[np.float64]:
        """Score n × F scaled features by the library that fitted them: n risks in 0..1."""

    def build(self, graph: Graph, scaled: str) -> str:
        """Add the model to an ONNX graph with scaled features; return its output's name: n × 1 log-odds."""
