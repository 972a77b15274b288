"""What a model family is: hyper-parameters that can be fitted (:class:`netops.models.fitted.Fitted` is the result).

A family never sees raw features: it gets them centred, scaled and cast to float32 (:mod:`netops.models.scaling`)
and describes its fitted model as ONNX nodes over the same scaled input. No native model is ever stored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from netops.compute.cluster import Cluster
from netops.errors import NetopsError
from netops.models.fitted import Fitted, Floats
from netops.training.families.space import Space
from netops.training.matrix import ScaledMatrix, bounds


@dataclass(frozen=True, eq=False)
class FitData:
    """What a family is fitted on.

    Attributes
    ----------
    features : float32 array, n × F, or ScaledMatrix
        Scaled features; NaN only for a family with ``takes_missing``. On disk only for one that ``takes_pieces``.
    labels : float32 array, n
        1 where an incident starts within the horizon, else 0.
    weights : float64 array, n
        Number of samples that each row represents, so that the weighted base rate is unbiased.
    early : bool array, n
        Rows held out for early stopping; none if the training split is too small.
    cluster : Cluster, optional
        Whose workers a family with ``takes_pieces`` may use for features on disk.
    """

    features: Floats | ScaledMatrix
    labels: Floats
    weights: npt.NDArray[np.float64]
    early: npt.NDArray[np.bool_]
    cluster: Cluster | None = None

    def __post_init__(self) -> None:
        """Refuse what no family can learn from."""
        for subset in (~self.early, self.early):
            positives = int(self.labels[subset].sum())
            if subset.any() and positives in (0, int(subset.sum())):
                raise NetopsError("the training rows are of one class only; give telemetry with more incidents")

    @property
    def stops_early(self) -> bool:
        """Whether rows are set aside for early stopping."""
        return bool(self.early.any())

    def whole(self) -> "FitData":
        """Return the same rows with none held out."""
        return replace(self, early=np.zeros_like(self.early))

    @property
    def on_disk(self) -> bool:
        """Whether the features are to be read in pieces."""
        return isinstance(self.features, ScaledMatrix)

    @property
    def read_from(self) -> str:
        """Where the features are: in ``memory``, in ``pieces`` on disk, or with the workers of a ``cluster``."""
        if not self.on_disk:
            return "memory"
        return "pieces" if self.cluster is None else "cluster"

    def subset_of(self, early: bool) -> npt.NDArray[np.bool_]:
        """Mark the rows of :meth:`subset`."""
        return (self.early if early else ~self.early) if self.stops_early else np.ones(len(self.labels), bool)

    def pieces(self, early: bool) -> Iterator[tuple[Floats, Floats, npt.NDArray[np.float64]]]:
        """Return the rows of :meth:`subset` in pieces, in the same order."""
        chosen = self.subset_of(early)
        mean = self.weights[chosen].mean()
        for start, stop in bounds(*self.features.shape):
            rows = chosen[start:stop]
            if rows.any():
                weights = self.weights[start:stop][rows] / mean
                yield self.features[start:stop][rows], self.labels[start:stop][rows], weights

    def subset(self, early: bool) -> tuple[Floats, Floats, npt.NDArray[np.float64]]:
        """Return features, labels and weights of the fitted or of the early-stopping rows; weights have mean 1."""
        assert isinstance(self.features, np.ndarray)
        if not self.stops_early:
            return self.features, self.labels, self.weights / self.weights.mean()
        rows = self.early if early else ~self.early
        weights = self.weights[rows]
        return self.features[rows], self.labels[rows], weights / weights.mean()


class Family(Protocol):
    """Hyper-parameters of a family, and how it is fitted."""

    #: Whether NaN is passed on; otherwise it becomes 0, the mean.
    takes_missing: ClassVar[bool]
    #: Whether it can be fitted on features on disk; otherwise rows are thinned to fit in memory.
    takes_pieces: ClassVar[bool]
    #: Scaled features are clipped to ± this.
    limit: ClassVar[float]
    #: The distributions whose versions belong on the model card.
    libraries: ClassVar[tuple[str, ...]]
    #: The field of the iterations, which early stopping bounds. None where it does not use the rows set aside for
    #: that: it is then fitted on them, too, unless a search needs them to evaluate trials.
    rounds: ClassVar[str | None]
    #: What a search may try.
    space: ClassVar[Space]
    #: Time of a fit, as a multiple of the shortest: the longest is started first.
    effort: ClassVar[float]

    @property
    def enabled(self) -> bool:
        """Whether the family is trained."""

    def load(self, threads: int) -> None:
        """Import what the fit needs, ahead of time."""

    def fit(self, data: FitData, seed: int, threads: int) -> Fitted:
        """Fit; the same data, seed and threads give the same model."""
