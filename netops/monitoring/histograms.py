"""Histograms per block of time: the number of samples of each block in each bin."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Histograms:
    """Binned values of some series, block by block.

    Attributes
    ----------
    names : tuple of str, S
        The series.
    edges : float64 array, S × (K - 1)
        Upper edges of all bins but the last, increasing, padded with infinity.
    block : int
        Length of a block in nanoseconds; blocks start at its multiples since the epoch.
    first : int
        Number of the first block.
    counts : int64 array, blocks × S × K
    """

    names: tuple[str, ...]
    edges: Floats
    block: int
    first: int
    counts: Ints

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self.counts)

    @property
    def numbers(self) -> Ints:
        """The numbers of the blocks."""
        return self.first + np.arange(len(self), dtype=np.int64)

    def emptied(self, first: int, blocks: int) -> "Histograms":
        """Return empty histograms with the same bins over other blocks."""
        return Histograms(
            self.names, self.edges, self.block, first, np.zeros((blocks, *self.counts.shape[1:]), np.int64)
        )

    def add(self, timestamps: Ints, values: Floats) -> None:
        """Add values; NaN and values outside of the blocks are ignored.

        Parameters
        ----------
        timestamps : int64 array, n
            Nanoseconds since the epoch.
        values : float64 array, n × S
        """
        blocks, _, bins = self.counts.shape
        index = timestamps // self.block - self.first
        inside = (index >= 0) & (index < blocks)
        for series, edges in enumerate(self.edges):
            column = values[:, series]
            known = inside & ~np.isnan(column)
            flat = index[known] * bins + np.searchsorted(edges, column[known])
            self.counts[:, series] += np.bincount(flat, minlength=blocks * bins).reshape(blocks, bins)

    def shares(self, start: int, stop: int) -> Floats:
        """Return the bin fractions over blocks start:stop, S × K; NaN for a series without values."""
        total = self.counts[start:stop].sum(axis=0)
        with np.errstate(invalid="ignore"):
            shares: Floats = total / total.sum(axis=-1, keepdims=True)
        return shares

    def cut(self, start: int, stop: int) -> "Histograms":
        """Return the histograms of blocks start:stop."""
        return Histograms(self.names, self.edges, self.block, self.first + start, self.counts[start:stop])


def binned(names: Iterable[str], sample: Floats, bins: int, block: int, first: int, blocks: int) -> Histograms:
    """Return empty histograms with bins of about equal frequency in a sample of the reference.

    A value of many samples gets a separate bin.

    Parameters
    ----------
    sample : float64 array, n × S
        NaN is ignored.
    """
    edges = [_edges(column[~np.isnan(column)], bins) for column in sample.T]
    width = max(map(len, edges), default=1)
    filled = np.full((len(edges), width), np.inf)
    for series, values in enumerate(edges):
        filled[series, : len(values)] = values
    counts = np.zeros((blocks, len(edges), width + 1), np.int64)
    return Histograms(tuple(names), filled, block, first, counts)


def flags(names: Iterable[str], block: int, first: int, blocks: int) -> Histograms:
    """Return empty histograms with two bins, for series of 0 and 1."""
    names = tuple(names)
    return Histograms(
        names, np.full((len(names), 1), 0.5), block, first, np.zeros((blocks, len(names), 2), np.int64)
    )


def _edges(values: Floats, bins: int) -> Floats:
    if not len(values):
        return np.zeros(1)
    cuts, times = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="lower"), return_counts=True)
    common = cuts[(times > 1) | np.isin(cuts, _often(values, bins))]
    return np.unique(np.concatenate([cuts, np.nextafter(common, -np.inf)]))


def _often(values: Floats, bins: int) -> Floats:
    """Return the values that are frequent enough to fill half a bin."""
    distinct, times = np.unique(values, return_counts=True)
    return distinct[times > len(values) / bins / 2]
