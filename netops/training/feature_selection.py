"""Feature selection, based only on training rows.

Features that never change are dropped. Where more are left than allowed, a quick score of each alone (mutual
information of its quantile bins with the label) leaves some three times as many, and the gain in a small tree
ensemble, which detects redundant features, selects the final ones.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.models.scaling import Scaling

Floats = npt.NDArray[np.float64]
Names = tuple[str, ...]
#: Reads some columns of the sampled rows: n × len(names).
Read = Callable[[Names], Floats]

#: Training rows that the selection uses.
SAMPLE = 12_000
#: Columns read at once.
BLOCK = 200
#: Candidates per feature allowed that the tree ensemble sees.
CANDIDATES = 3
_BINS = 12


@dataclass(frozen=True)
class Sample:
    """The training rows that the selection uses: their labels, and the number of rows that each represents."""

    labels: npt.NDArray[np.bool_]
    weights: Floats


def varying(matrix: Floats) -> npt.NDArray[np.bool_]:
    """Mark the columns of a matrix that hold at least two different numbers."""
    low, high = np.full(matrix.shape[1], np.inf), np.full(matrix.shape[1], -np.inf)
    for start in range(0, len(matrix), 8_192):
        rows = matrix[start : start + 8_192]
        low, high = np.fmin(low, np.fmin.reduce(rows)), np.fmax(high, np.fmax.reduce(rows))
    return low < high


def select(names: Names, read: Read, sample: Sample, most: int, seed: int) -> Names:
    """Choose features.

    Parameters
    ----------
    names : tuple of str
        All features.
    read : callable
        Reads columns of the sampled rows, one block of columns per call.
    sample : Sample
        Labels and weights of those rows.
    most : int
        Features to keep at most.
    seed : int
        Of the tree ensemble.

    Returns
    -------
    tuple of str
        In the order of ``names``.
    """
    relevance = np.concatenate(
        [_relevance(read(names[start : start + BLOCK]), sample) for start in range(0, len(names), BLOCK)]
    )
    alive = np.flatnonzero(relevance >= 0)
    if len(alive) > most:
        alive = alive[np.argsort(-relevance[alive], kind="stable")[: CANDIDATES * most]]
        gain = _gain(read(tuple(names[index] for index in alive)), sample, seed)
        # Those that no tree used follow by their own relevance.
        alive = alive[np.lexsort((-relevance[alive], -gain))[:most]]
    return tuple(names[index] for index in np.sort(alive))


def _relevance(columns: Floats, sample: Sample) -> Floats:
    """Mutual information of each column with the label; -1 for one that never changes."""
    change = varying(columns)
    return np.array([_information(c, sample) if v else -1.0 for c, v in zip(columns.T, change, strict=True)])


def _information(column: Floats, sample: Sample) -> float:
    known = np.isfinite(column)
    edges = np.unique(np.quantile(column[known], np.linspace(0, 1, _BINS + 1)[1:-1]))
    code = np.where(known, np.searchsorted(edges, column, side="right"), _BINS)
    # The classes weigh the same, so that rare positives count.
    table = np.zeros((2, _BINS + 1))
    for label in (0, 1):
        of_class = sample.labels == bool(label)
        table[label] = np.bincount(code[of_class], sample.weights[of_class], _BINS + 1)
        table[label] /= 2 * max(table[label].sum(), 1e-300)
    expected = table.sum(axis=0) / 2
    some = table > 0
    return max(0.0, float((table[some] * np.log(table[some] / np.stack([expected, expected])[some])).sum()))


def _gain(columns: Floats, sample: Sample, seed: int) -> Floats:
    import xgboost

    scaled = Scaling.fit(columns, limit=1e9, fill=False).apply(columns)
    # The selection only needs the order of the features: with balanced classes, few trees are enough.
    weights = np.where(sample.labels, 1 / max(1, sample.labels.sum()), 1 / max(1, (~sample.labels).sum()))
    matrix = xgboost.DMatrix(scaled, sample.labels, weight=weights * len(weights) / 2, nthread=1)
    parameters = {"objective": "binary:logistic", "max_depth": 4, "learning_rate": 0.3, "max_bin": 32}
    fixed = {"seed": seed, "nthread": 1, "verbosity": 0, "colsample_bynode": 0.5}
    booster = xgboost.train(parameters | fixed, matrix, 30)
    gains = booster.get_score(importance_type="total_gain")
    return np.array([gains.get(f"f{index}", 0.0) for index in range(columns.shape[1])])
