"""Distances between two binned distributions.

Each takes two arrays of fractions whose last axis is the bins, and returns one number per pair. It is not negative;
0 means that the distributions are equal.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: The fraction assigned to an empty bin, so that logarithms are finite.
_MIN_FRACTION = 1e-4


def psi(now: Floats, reference: Floats) -> Floats:
    """Return the population stability index: the symmetric Kullback-Leibler divergence."""
    now, reference = _filled(now), _filled(reference)
    return np.sum((now - reference) * np.log(now / reference), axis=-1)


def ks(now: Floats, reference: Floats) -> Floats:
    """Kolmogorov-Smirnov: the maximum difference of the distribution functions, at the bin edges."""
    return np.abs(np.cumsum(now - reference, axis=-1)).max(axis=-1)


def total_variation(now: Floats, reference: Floats) -> Floats:
    """Total variation distance: half the sum of the absolute differences."""
    return np.abs(now - reference).sum(axis=-1) / 2


STATISTICS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "psi": psi,
    "ks": ks,
    "total_variation": total_variation,
}
#: Minimum distance that is reported: about that of a shift by a quarter of a standard deviation.
MINIMA = {"psi": 0.05, "ks": 0.09, "total_variation": 0.09}
#: Statistics that grow with the square of a small shift; the others grow linearly.
QUADRATIC = ("psi",)


def energy(name: str, values: Floats) -> Floats:
    """Return a statistic as a squared distance, for which noise is approximately chi-square."""
    return values if name in QUADRATIC else values**2


def _filled(shares: Floats) -> Floats:
    filled = np.maximum(shares, _MIN_FRACTION)
    return filled / filled.sum(axis=-1, keepdims=True)
