"""Distributions in blocks of time: how many samples of each block fall into each bin."""

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
        Upper edges of all bins but the last, rising, filled up with infinity.
    block : int
        Length of a block in nanoseconds; blocks begin at its multiples since the epoch.
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
        """Count the blocks."""
        return len(self.counts)

    @property
    def numbers(self) -> Ints:
        """The numbers of the blocks."""
        return self.first + np.arange(len(self), dtype=np.int64)

    def emptied(self, first: int, blocks: int) -> "Histograms":
        """Give the same bins over other blocks, with nothing in them."""
        return Histograms(
            self.names, self.edges, self.block, first, np.zeros((blocks, *self.counts.shape[1:]), np.int64)
        )

    def add(self, timestamps: Ints, values: Floats) -> None:
        """Count values in; NaN are left out, and so is what lies outside of the blocks.

        Parameters
        ----------
        timestamps : int64 array, n
            Nanoseconds since the epoch.
        values : float64 array, n × S
        """
        blocks, _, bins = self.counts.shape
        index = timestamps // self.block - self.first
        here = (index >= 0) & (index < blocks)
        for series, edges in enumerate(self.edges):
            column = values[:, series]
            known = here & ~np.isnan(column)
            flat = index[known] * bins + np.searchsorted(edges, column[known])
            self.counts[:, series] += np.bincount(flat, minlength=blocks * bins).reshape(blocks, bins)

    def shares(self, start: int, stop: int) -> Floats:
        """Give the shares of the bins over blocks start:stop, S × K; NaN for a series without values."""
        total = self.counts[start:stop].sum(axis=0)
        with np.errstate(invalid="ignore"):
            shares: Floats = total / total.sum(axis=-1, keepdims=True)
        return shares

    def cut(self, start: int, stop: int) -> "Histograms":
        """Keep blocks start:stop."""
        return Histograms(self.names, self.edges, self.block, self.first + start, self.counts[start:stop])


def binned(names: Iterable[str], sample: Floats, bins: int, block: int, first: int, blocks: int) -> Histograms:
    """Make bins that a sample of the reference fills about equally, over some blocks, with nothing in them.

    A value that many samples share gets a bin of its own.

    Parameters
    ----------
    sample : float64 array, n × S
        NaN is left out.
    """
    edges = [_edges(column[~np.isnan(column)], bins) for column in sample.T]
    width = max(map(len, edges), default=1)
    filled = np.full((len(edges), width), np.inf)
    for series, those in enumerate(edges):
        filled[series, : len(those)] = those
    counts = np.zeros((blocks, len(edges), width + 1), np.int64)
    return Histograms(tuple(names), filled, block, first, counts)


def flags(names: Iterable[str], block: int, first: int, blocks: int) -> Histograms:
    """Make two bins for series of 0 and 1."""
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
    """Find the values that fill half a bin alone."""
    distinct, times = np.unique(values, return_counts=True)
    return distinct[times > len(values) / bins / 2]
