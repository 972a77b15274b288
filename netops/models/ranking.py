"""Average precision and ROC AUC of weighted samples that are sorted once, so that resampling is cheap."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.alerting.sequences import Flags, Floats, Integers
from netops.kernels import kernel


@dataclass(frozen=True)
class Ranking:
    """Samples with a label, from the highest risk to the lowest.

    Attributes
    ----------
    risk : float64 array
        Falling.
    positive : bool array
        The labels.
    unit : int32 array
        What is resampled together: the place of the sample's unit.
    last_of_tie : bool array
        True at the last of samples with the same risk: only there a threshold can lie.
    """

    risk: Floats
    positive: Flags
    unit: npt.NDArray[np.int32]
    last_of_tie: Flags

    @classmethod
    def of(cls, risks: Floats, labels: npt.NDArray[np.int8], units: Integers) -> "Ranking":
        """Sort the samples that have a label; a risk that is NaN ranks lowest."""
        known = np.flatnonzero(labels >= 0)
        risk = np.nan_to_num(np.asarray(risks, dtype=np.float64)[known], nan=-np.inf)
        order = np.argsort(-risk, kind="stable")
        risk = risk[order]
        last = np.append(risk[1:] != risk[:-1], np.ones(min(len(risk), 1), dtype=bool))
        return cls(risk, labels[known][order] == 1, units[known][order].astype(np.int32), last)

    def figures(self, weights: Floats) -> tuple[float, float]:
        """Average precision and ROC AUC, each sample weighted by its unit; NaN where a class has no weight."""
        average_precision, roc_auc = _figures(self.positive, self.unit, self.last_of_tie, weights)
        return float(average_precision), float(roc_auc)

    def resampled(self, weights: npt.NDArray[np.float64]) -> Floats:
        """Figures of many resamples: weights of shape (times, units) → (times, 2)."""
        return _resampled(self.positive, self.unit, self.last_of_tie, weights)


@kernel
def _figures(positive, unit, last_of_tie, weights):  # type: ignore[no-untyped-def]
    # Average precision: sum over thresholds of (recall gained) x precision. ROC AUC: share of pairs in right order,
    # ties counting half; the negatives ranked below are those not yet seen.
    positives, negatives = 0.0, 0.0
    for row in range(len(positive)):
        weight = weights[unit[row]]
        if positive[row]:
            positives += weight
        else:
            negatives += weight
    if positives == 0 or negatives == 0:
        return np.nan, np.nan
    hits, misses, tied_hits, tied_misses, area, pairs = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for row in range(len(positive)):
        weight = weights[unit[row]]
        if positive[row]:
            tied_hits += weight
        else:
            tied_misses += weight
        if last_of_tie[row]:
            pairs += tied_hits * (negatives - misses - tied_misses / 2)
            hits, misses = hits + tied_hits, misses + tied_misses
            if tied_hits > 0:
                area += tied_hits * hits / (hits + misses)
            tied_hits, tied_misses = 0.0, 0.0
    return area / positives, pairs / (positives * negatives)


@kernel
def _resampled(positive, unit, last_of_tie, weights):  # type: ignore[no-untyped-def]
    figures = np.empty((len(weights), 2))
    for time in range(len(weights)):
        figures[time] = _figures(positive, unit, last_of_tie, weights[time])
    return figures
