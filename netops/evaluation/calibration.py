"""Calibration of risks: Brier score, reliability curve, expected calibration error."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.alerting.sequences import Floats, Integers

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """Observed frequency of failures against the predicted probability.

    Attributes
    ----------
    predicted, happened : float64 array, bins
        Mean predicted probability and fraction of positives of the samples of a bin; empty bins are excluded.
    samples : int64 array, bins
    brier : float
        Mean squared difference of probability and label (Brier 1950).
    expected_calibration_error : float
        Mean of |happened − predicted| over bins of equal width, weighted by samples (Guo et al. 2017).
    """

    predicted: Floats
    happened: Floats
    samples: npt.NDArray[np.int64]
    brier: float
    expected_calibration_error: float

    @property
    def calibration_error_at_risk(self) -> float:
        """The calibration error without the samples below 1 / 15, which are nearly all where failures are rare."""
        shown = self.predicted >= 1 / BINS
        samples = self.samples[shown]
        off = np.abs(self.predicted - self.happened)[shown]
        return float(off @ samples / samples.sum()) if samples.sum() else float("nan")


def reliability(probabilities: Floats, labels: npt.NDArray[np.int8], bins: int = BINS) -> Reliability:
    """Compare probabilities in 0..1 with labels; samples without either are excluded."""
    known = (labels >= 0) & np.isfinite(probabilities)
    probability, label = probabilities[known], labels[known].astype(np.float64)
    index = _bin(probability, bins)
    samples = np.bincount(index, minlength=bins)
    some = samples > 0
    predicted = np.bincount(index, weights=probability, minlength=bins)[some] / samples[some]
    happened = np.bincount(index, weights=label, minlength=bins)[some] / samples[some]
    brier = float(np.mean((probability - label) ** 2)) if len(label) else float("nan")
    error = float(np.abs(predicted - happened) @ samples[some] / len(label)) if len(label) else float("nan")
    return Reliability(predicted, happened, samples[some], brier, error)


def resampled(
    probabilities: Floats,
    labels: npt.NDArray[np.int8],
    units: Integers,
    weights: npt.NDArray[np.float64],
    bins: int = BINS,
) -> tuple[Floats, Floats]:
    """Return Brier score and expected calibration error of many resamples.

    Parameters
    ----------
    probabilities, labels : arrays, n
        As for :func:`reliability`.
    units : int64 array, n
        The unit of resampling: index of each sample's unit.
    weights : float64 array, times × units
        How often each unit was drawn.

    Returns
    -------
    tuple of two float64 arrays, times
        NaN where no labelled sample was drawn.
    """
    known = (labels >= 0) & np.isfinite(probabilities)
    probability, label, unit = probabilities[known], labels[known].astype(np.float64), units[known]
    index, size = unit * bins + _bin(probability, bins), weights.shape[1]
    # The sum over a bin of (label - probability), added up over the units that were drawn.
    off = np.bincount(index, weights=label - probability, minlength=size * bins).reshape(size, bins)
    squares = np.bincount(unit, weights=(label - probability) ** 2, minlength=size)
    with np.errstate(divide="ignore", invalid="ignore"):
        samples = weights @ np.bincount(unit, minlength=size)
        return weights @ squares / samples, np.abs(weights @ off).sum(axis=1) / samples


def _bin(probability: Floats, bins: int) -> Integers:
    return np.clip((probability * bins).astype(np.int64), 0, bins - 1)
