"""What a model family is: hyper-parameters that can be fitted, and a fitted model that can be saved.

A family never sees raw features: it gets them centred, scaled and cast to float32 (:mod:`netops.models.scaling`)
and describes its fitted model as ONNX nodes over the same scaled input. No native model is ever stored.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.models.families.space import Space
from netops.models.onnx_graph import Graph

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FitData:
    """What a family is fitted on.

    Attributes
    ----------
    features : float32 array, n × F
        Scaled features; NaN only for a family with ``takes_missing``.
    labels : float32 array, n
        1 where an incident starts within the horizon, else 0.
    weights : float64 array, n
        How many samples each row stands for, so that the weighted base rate is the true one.
    early : bool array, n
        Rows set aside for early stopping; none where the training part is too small for it.
    """

    features: Floats
    labels: Floats
    weights: npt.NDArray[np.float64]
    early: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Refuse what no family can learn from."""
        for part in (~self.early, self.early):
            positives = int(self.labels[part].sum())
            if part.any() and positives in (0, int(part.sum())):
                raise NetopsError("the training rows are of one class only; give telemetry with more incidents")

    @property
    def stops_early(self) -> bool:
        """Whether rows are set aside for early stopping."""
        return bool(self.early.any())

    def part(self, early: bool) -> tuple[Floats, Floats, npt.NDArray[np.float64]]:
        """Take features, labels and weights of the fitted (or of the set-aside) rows; weights have mean 1."""
        if not self.stops_early:
            return self.features, self.labels, self.weights / self.weights.mean()
        rows = self.early if early else ~self.early
        weights = self.weights[rows]
        return self.features[rows], self.labels[rows], weights / weights.mean()


class Fitted(Protocol):
    """A fitted model of any family."""

    @property
    def iterations(self) -> int:
        """Trees or epochs kept after early stopping."""

    def predict(self, scaled: Floats) -> npt.NDArray[np.float64]:
        """Score n × F scaled features by the library that fitted them: n risks in 0..1."""

    def build(self, graph: Graph, scaled: str) -> str:
        """Add the model to an ONNX graph that holds the scaled features; name its output, n × 1 log-odds."""


class Family(Protocol):
    """Hyper-parameters of a family, and how it is fitted."""

    #: Whether NaN is passed on; otherwise it becomes 0, the mean.
    takes_missing: ClassVar[bool]
    #: Scaled features are clipped to ± this.
    limit: ClassVar[float]
    #: The distributions whose versions belong on the model card.
    libraries: ClassVar[tuple[str, ...]]
    #: What a search may try.
    space: ClassVar[Space]

    @property
    def enabled(self) -> bool:
        """Whether the family takes part in a run."""

    def load(self, threads: int) -> None:
        """Import what the fit needs, ahead of time."""

    def fit(self, data: FitData, seed: int, threads: int) -> Fitted:
        """Fit; the same data, seed and threads give the same model."""
