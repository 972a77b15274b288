"""How far two binned distributions are apart.

Every statistic takes two arrays of shares whose last axis are the bins, and gives one number for each pair. None is
negative; 0 means that they are alike.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: What an empty bin counts as, so that logarithms stay finite.
_LEAST = 1e-4


def psi(now: Floats, reference: Floats) -> Floats:
    """Return the population stability index: the symmetric Kullback-Leibler divergence."""
    now, reference = _filled(now), _filled(reference)
    return np.sum((now - reference) * np.log(now / reference), axis=-1)


def kl(now: Floats, reference: Floats) -> Floats:
    """Kullback-Leibler divergence of the present from the reference, in nats."""
    now, reference = _filled(now), _filled(reference)
    return np.sum(now * np.log(now / reference), axis=-1)


def ks(now: Floats, reference: Floats) -> Floats:
    """Kolmogorov-Smirnov: the greatest difference of the distribution functions, at the edges of the bins."""
    return np.abs(np.cumsum(now - reference, axis=-1)).max(axis=-1)


def total_variation(now: Floats, reference: Floats) -> Floats:
    """Total variation distance: the share that lies elsewhere."""
    return np.abs(now - reference).sum(axis=-1) / 2


def hellinger(now: Floats, reference: Floats) -> Floats:
    """Hellinger distance, in 0..1."""
    return np.sqrt(np.sum((np.sqrt(now) - np.sqrt(reference)) ** 2, axis=-1) / 2)


STATISTICS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "psi": psi,
    "ks": ks,
    "total_variation": total_variation,
    "hellinger": hellinger,
    "kl": kl,
}
#: Below this a move is not worth telling. Each is about what a shift by a quarter of a standard deviation gives.
MINIMA = {"psi": 0.05, "ks": 0.09, "total_variation": 0.09, "hellinger": 0.08, "kl": 0.025}
#: Statistics that grow with the square of a small move; the others grow with the move itself.
QUADRATIC = ("psi", "kl")


def energy(name: str, values: Floats) -> Floats:
    """Give a statistic in a scale in which noise adds up as chi-square does: the square of a distance."""
    return values if name in QUADRATIC else values**2


def _filled(shares: Floats) -> Floats:
    filled = np.maximum(shares, _LEAST)
    return filled / filled.sum(axis=-1, keepdims=True)
