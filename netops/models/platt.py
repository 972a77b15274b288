"""Platt scaling: from a risk, which only ranks samples, to a calibrated probability.

Two parameters map the log-odds of the risk to the log-odds of the probability. They are fitted on samples that the
model has not been fitted on, with the regularised targets of the original (Platt 1999), by Newton's method (Lin et
al. 2007). Alerts do not use it: thresholds apply to the risk.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.models.card_sections import Calibration
from netops.models.onnx_graph import Graph

Floats = npt.NDArray[np.float64]

METHOD = "Platt"
#: Risks are clipped to this distance from 0 and 1, the step of float32 below 1: log-odds stay finite.
EDGE = 2.0**-24
#: The log-odds of a risk are within ± this.
LIMIT = float(np.log(1 - EDGE) - np.log(EDGE))
_STEPS, _TOLERANCE, _SMALLEST = 100, 1e-9, 1e-6


@dataclass(frozen=True)
class Platt:
    """A fitted calibration: log-odds of the probability = slope × log-odds of the risk + intercept.

    Attributes
    ----------
    slope, intercept : float
        The slope is above 0: the probability ranks as the risk does.
    rows, positives : int
        Labelled samples it was fitted on, and those with label 1.
    """

    slope: float
    intercept: float
    rows: int
    positives: int

    def apply(self, risks: Floats) -> Floats:
        """Return the probabilities of n risks in 0..1; NaN stays NaN."""
        return sigmoid(self.odds(risks))

    def odds(self, risks: Floats) -> Floats:
        """Return the log-odds of the probabilities of n risks in 0..1; NaN stays NaN."""
        return self.slope * _log_odds(risks) + self.intercept

    def build(self, graph: Graph, risk: str, output: str) -> str:
        """Add the nodes that turn ``risk`` (float32) into ``output`` (float32); between them all is float64."""
        from onnx import TensorProto

        odds = self.build_odds(graph, risk)
        return graph.add("Cast", graph.add("Sigmoid", odds), output=output, to=TensorProto.FLOAT)

    def build_odds(self, graph: Graph, risk: str, prefix: str = "") -> str:
        """Add the nodes that turn ``risk`` (float32) into the log-odds of the probability (float64)."""
        from onnx import TensorProto

        values = {"low": EDGE, "high": 1 - EDGE, "one": 1.0, "slope": self.slope, "intercept": self.intercept}
        low, high, one, slope, intercept = (
            graph.constant(f"{prefix}calibration_{name}", np.array(value)) for name, value in values.items()
        )
        held = graph.add("Clip", graph.add("Cast", risk, to=TensorProto.DOUBLE), low, high)
        rest = graph.add("Sub", one, held)
        odds = graph.add("Log", graph.add("Div", held, rest))
        return graph.add("Add", graph.add("Mul", odds, slope), intercept)

    def to_dict(self) -> Calibration:
        """Return the entry for the model card."""
        return {
            "method": METHOD,
            "part": "validation",
            "slope": self.slope,
            "intercept": self.intercept,
            "rows": self.rows,
            "positives": self.positives,
        }

    @classmethod
    def from_dict(cls, values: Calibration) -> "Platt | None":
        """Read the calibration from a model card; None if the model has no probability."""
        if values.get("method") != METHOD:
            return None
        return cls(values["slope"], values["intercept"], values["rows"], values["positives"])


@dataclass(frozen=True)
class Uncalibrated:
    """The reason why a model has no probability output.

    Attributes
    ----------
    reason : str
        The reason, as a sentence.
    rows, positives : int
        Number of labelled samples, and of those with label 1.
    """

    reason: str
    rows: int
    positives: int

    def to_dict(self) -> Calibration:
        """Return the entry for the model card."""
        return {
            "method": None,
            "part": "validation",
            "reason": self.reason,
            "rows": self.rows,
            "positives": self.positives,
        }


def fit_platt(risks: Floats, labels: npt.NDArray[np.int8]) -> Platt | Uncalibrated:
    """Fit a calibration; the same samples give the same parameters.

    Parameters
    ----------
    risks : float64 array, n
        Risks of a split that the model was not fitted on; NaN where a sample was not scored.
    labels : int8 array, n
        1, 0, or -1 for none.

    Returns
    -------
    Platt or Uncalibrated
        The latter if the risk does not rise with the fraction of failures.
    """
    known = (labels >= 0) & np.isfinite(risks)
    odds, label = _log_odds(risks[known]), labels[known] == 1
    rows, positives = len(label), int(label.sum())
    if not 0 < positives < rows:
        return Uncalibrated(
            "Validation contains samples of one class only: calibration is not possible.", rows, positives
        )
    if np.ptp(odds) == 0:
        return Uncalibrated("All risks on validation are equal: calibration is not possible.", rows, positives)
    slope, intercept = _fit(odds, _targets(label))
    if not slope > 0:
        reason = f"On validation the risk does not rise with the fraction of failures (slope {slope:.3g})."
        return Uncalibrated(reason, rows, positives)
    return Platt(slope, intercept, rows, positives)


def _targets(label: npt.NDArray[np.bool_]) -> Floats:
    """Smooth the labels: with few positives they are uncertain (Platt 1999, equation 1)."""
    positives, negatives = int(label.sum()), int((~label).sum())
    return np.where(label, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _fit(odds: Floats, target: Floats) -> tuple[float, float]:
    # Centred and scaled, slope and intercept are of one size, and the Hessian is well conditioned.
    centre, spread = float(odds.mean()), float(odds.std())
    at = _newton((odds - centre) / spread, target)
    slope = float(at[0] / spread)
    return slope, float(at[1] - slope * centre)


def _newton(scaled: Floats, target: Floats) -> Floats:
    """Find slope and intercept of the least cross-entropy; a step is halved until it gains enough."""
    at = np.array([0.0, np.log(target.sum() / (1 - target).sum())])
    loss = _loss(scaled, target, at)
    for _ in range(_STEPS):
        error = sigmoid(at[0] * scaled + at[1]) - target
        gradient = np.array([error @ scaled, error.sum()])
        weight = (error + target) * (1 - error - target)
        cross = weight @ scaled
        hessian = np.array([[weight @ scaled**2, cross], [cross, weight.sum()]]) + 1e-12 * np.eye(2)
        step, size = np.linalg.solve(hessian, gradient), 1.0
        decrement = float(gradient @ step)
        if decrement <= _TOLERANCE * loss:  # close to the minimum, the full step squares the remaining error
            return at - step
        while size > _SMALLEST and _loss(scaled, target, at - size * step) > loss - 1e-4 * size * decrement:
            size /= 2
        at = at - size * step
        loss = _loss(scaled, target, at)
    return at


def _loss(odds: Floats, target: Floats, at: Floats) -> float:
    moved = at[0] * odds + at[1]
    return float((np.logaddexp(0, moved) - target * moved).sum())


def _log_odds(risks: Floats) -> Floats:
    held = np.clip(np.asarray(risks, dtype=np.float64), EDGE, 1 - EDGE)
    return np.log(held / (1 - held))


def sigmoid(odds: Floats) -> Floats:
    """Return the probabilities of n log-odds."""
    return 0.5 * (1 + np.tanh(0.5 * odds))
