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
        Index of the resampling unit of each sample.
    last_of_tie : bool array
        True at the last of samples with equal risk: a threshold is only possible there.
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

    def average_precisions(self, weights: npt.NDArray[np.float64]) -> Floats:
        """Average precision of many resamples: weights of shape (times, units) → (times,).

        The same as the first column of :meth:`resampled`, some twenty times as fast: samples of one unit between
        two thresholds at which a positive is found count as one.
        """
        units = int(self.unit.max(initial=0)) + 1
        weights = np.ascontiguousarray(weights[:, :units].T)
        found = np.bincount(np.cumsum(self.last_of_tie) - self.last_of_tie, weights=self.positive) > 0
        step: Integers = np.cumsum(found) - found  # of each tie: how many ties with a positive come before it
        row_step: Integers = step[np.cumsum(self.last_of_tie) - self.last_of_tie]
        key = (row_step * units + self.unit) * 2 + self.positive
        keys, counts = np.unique(key[row_step < found.sum()], return_counts=True)
        step_of, unit_of = np.divmod(keys >> 1, units)
        total = np.bincount(self.unit[~self.positive], minlength=units).astype(np.float64)
        negatives = total @ weights
        area, positives = _areas(step_of, unit_of, (keys & 1).astype(np.bool_), counts.astype(np.float64), weights)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((positives > 0) & (negatives > 0), area / positives, np.nan)


@kernel
def _areas(step, unit, positive, count, weights):  # type: ignore[no-untyped-def]
    times, entries = weights.shape[1], len(step)
    area, hits = np.zeros(times), np.zeros(times)
    misses, tied = np.zeros(times), np.zeros(times)
    for entry in range(entries):
        row, times_counted = weights[unit[entry]], count[entry]
        if positive[entry]:
            for time in range(times):
                tied[time] += times_counted * row[time]
        else:
            for time in range(times):
                misses[time] += times_counted * row[time]
        if entry + 1 == entries or step[entry + 1] != step[entry]:
            for time in range(times):
                if tied[time] > 0:
                    hits[time] += tied[time]
                    area[time] += tied[time] * hits[time] / (hits[time] + misses[time])
                    tied[time] = 0.0
    return area, hits


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
