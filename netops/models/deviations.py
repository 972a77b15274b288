"""Deviations: a model without labels, for networks whose incidents are not recorded.

Each metric has two terms: how far the current value is from the middle of the fleet (level), and how far it is from
the mean of its own longest window (past), both in robust standard deviations of the training split. A term counts
ln(1 + (z / 4)²), as the surprise of Student's t distribution does: it grows fast up to some eight deviations and
slowly from there on, so that several metrics that deviate together count more than one that is far off. Unknown
values count 0. The log-odds are linear in the sum of the terms: one unit is e times rarer in the training split.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from netops.models.onnx_file import FEATURES, RISK
from netops.models.onnx_graph import Graph
from netops.models.platt import sigmoid
from netops.models.scaling import Scaling

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Family of the model cards.
DEVIATIONS = "deviations"
#: Deviations from which on a term grows slowly.
KNEE = 4.0
#: Scaled values are clipped to ± this, infinite ones too.
LIMIT = 1e6
#: Begins the names of the constants that hold what is usual for the features.
USUAL = "usual_"
#: Constants of the file that describe the terms.
_LEVELS, _PASTS, _MEANS = "level_columns", "past_columns", "mean_columns"


def surprise(scaled: npt.NDArray[np.float32]) -> Floats:
    """Return what each term counts, n × T."""
    return np.log1p(np.square(scaled.astype(np.float64) / KNEE))


@dataclass(frozen=True)
class Deviations:
    """A fitted model of the deviations.

    Attributes
    ----------
    levels : int64 array
        The features (columns of the input) whose level counts.
    pasts, means : int64 arrays
        The features that are compared with the past of the device, and the columns of their means.
    scaling : Scaling
        Of the terms: levels first, then differences from the past.
    usual : Scaling
        Of the features: their means and standard deviations, for the words of an explanation.
    slope, intercept : float
        Log-odds = slope × sum of the terms + intercept.
    """

    levels: Ints
    pasts: Ints
    means: Ints
    scaling: Scaling
    usual: Scaling
    slope: float
    intercept: float

    def scaled(self, features: Floats) -> npt.NDArray[np.float32]:
        """Return the scaled terms of n × F raw features: n × T, 0 where unknown."""
        with np.errstate(invalid="ignore"):  # infinite values of both are unknown
            past = features[:, self.pasts] - features[:, self.means]
        return self.scaling.apply(np.hstack([features[:, self.levels], past]))

    def predict(self, features: Floats) -> Floats:
        """Return the risks of n × F raw features, in 0..1."""
        return sigmoid(self.slope * surprise(self.scaled(features)).sum(axis=1) + self.intercept)

    def build(self) -> bytes:
        """Convert the model to an ONNX file; the same model gives the same bytes."""
        from onnx import TensorProto, helper

        graph = Graph()
        for name, values in (("centre", self.usual.centre), ("spread", self.usual.spread)):
            graph.constant(f"{USUAL}{name}", values)
        total = self._sum(graph, self.scaling.build(graph, self._terms(graph)))
        odds = graph.add(
            "Add",
            graph.add("Mul", total, _number(graph, "slope", self.slope)),
            _number(graph, "intercept", self.intercept),
        )
        graph.add("Cast", graph.add("Sigmoid", odds), output=RISK, to=TensorProto.FLOAT)
        features = helper.make_tensor_value_info(FEATURES, TensorProto.DOUBLE, ["rows", len(self.usual.centre)])
        risk = helper.make_tensor_value_info(RISK, TensorProto.FLOAT, ["rows"])
        return bytes(graph.finish([features], [risk], "netops").SerializeToString(deterministic=True))

    def _terms(self, graph: Graph) -> str:
        columns = ((_LEVELS, self.levels), (_PASTS, self.pasts), (_MEANS, self.means))
        level, past, mean = (
            graph.add("Gather", FEATURES, graph.constant(name, indices), axis=1) for name, indices in columns
        )
        return graph.add("Concat", level, graph.add("Sub", past, mean), axis=1)

    def _sum(self, graph: Graph, scaled: str) -> str:
        from onnx import TensorProto

        knee, one = _number(graph, "knee", KNEE), _number(graph, "one", 1.0)
        near = graph.add("Div", graph.add("Cast", scaled, to=TensorProto.DOUBLE), knee)
        terms = graph.add("Log", graph.add("Add", graph.add("Mul", near, near), one))
        return graph.add("ReduceSum", terms, graph.constant("last_axis", np.array([1])), keepdims=0)

    @classmethod
    def of(cls, constants: dict[str, npt.NDArray[Any]]) -> "Deviations | None":
        """Read the model from the constants of its file; None if they are of another kind of model."""
        if _LEVELS not in constants:
            return None
        limit = constants["high"].item()
        scaling, usual = (
            Scaling(constants[f"{prefix}centre"], constants[f"{prefix}spread"], limit, True)
            for prefix in ("", USUAL)
        )
        levels, pasts, means = (constants[name] for name in (_LEVELS, _PASTS, _MEANS))
        return cls(levels, pasts, means, scaling, usual, constants["slope"].item(), constants["intercept"].item())


def _number(graph: Graph, name: str, value: float) -> str:
    return graph.constant(name, np.array(value))
