"""Compare current windows with the reference at the same times of the day.

The statistic needs calibration: the network has a daily cycle, neighbouring samples are correlated, and each window
is compared in many features. The null distribution is therefore estimated from the reference: windows of the same
length are compared with the rest of the reference. A current window is significant if its statistic exceeds an F
distribution fitted to these (Satterthwaite 1946: a sum of squares of correlated noise is approximately a scaled
chi-square, and so is the mean of the few calibration windows).
"""

from dataclasses import dataclass

import numpy as np

from netops.monitoring.distances import STATISTICS, energy
from netops.monitoring.histograms import Floats, Histograms, Ints

#: Minimum fraction of the usual samples that a slot or a window needs.
_MIN_COVERAGE = 0.1


@dataclass(frozen=True)
class Rhythm:
    """A reference by time of the day, or of another period of the network.

    Attributes
    ----------
    reference : Histograms
    slots : int
        Blocks per period.
    memory : int
        Blocks after which two times are independent: the longest window of the features.
    """

    reference: Histograms
    slots: int
    memory: int = 1

    def slot(self, numbers: Ints) -> Ints:
        """Return the index of blocks within the period."""
        return numbers % self.slots

    def by_slot(self, start: int = 0, stop: int = 0) -> Ints:
        """Return the counts of the reference by slot, excluding blocks start:stop: slots × S × K."""
        counts, slots = self.reference.counts.copy(), self.slot(self.reference.numbers)
        counts[start:stop] = 0
        total = np.zeros((self.slots, *counts.shape[1:]), np.int64)
        np.add.at(total, slots, counts)
        return total

    @property
    def periods(self) -> float:
        """Number of periods in the reference."""
        return len(self.reference) / self.slots


def matched(window: Ints, slots: Ints, by_slot: Ints) -> tuple[Floats, Floats]:
    """Return the bin fractions of a window, and of the reference at the same times with the same weights.

    Parameters
    ----------
    window : int64 array, blocks × S × K
    slots : int64 array, blocks
        Their indices within the period.
    by_slot : int64 array, slots × S × K
        The reference. Slots with too few samples in it are ignored in the window.

    Returns
    -------
    float64 arrays, S × K
        NaN for a series without samples.
    """
    sums = by_slot.sum(axis=-1)
    known = sums > _MIN_COVERAGE * np.median(sums, axis=0, keepdims=True)
    usable = known[slots]
    counts = window * usable[..., None]
    weights = counts.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.nansum(weights[..., None] * (by_slot / sums[..., None])[slots], axis=0)
        total = weights.sum(axis=0)
        return counts.sum(axis=0) / total[:, None], expected / total[:, None]


@dataclass(frozen=True)
class NullDistribution:
    """The null distribution: the statistic without drift.

    Attributes
    ----------
    mean : float64 array, S
        Mean of the energy; NaN if the reference is too short.
    shape : float64 array, S
        Shape of the gamma distribution of the energy.
    windows : float
        Number of independent windows it was estimated from.
    """

    mean: Floats
    shape: Floats
    windows: float

    def p_values(self, energies: Floats) -> Floats:
        """Return the probability of an energy at least as large, (…, S)."""
        from scipy.special import fdtrc

        # If the reference is constant, any change is significant.
        ratio = energies / np.maximum(self.mean, 1e-12)
        values: Floats = fdtrc(2 * self.shape, 2 * self.shape * self.windows, ratio)
        return values


@dataclass(frozen=True)
class Comparer:
    """Compares windows with a reference by one statistic."""

    rhythm: Rhythm
    statistic: str

    def distances(self, window: Ints, slots: Ints, by_slot: Ints) -> Floats:
        """Return the statistic of each series, S."""
        return STATISTICS[self.statistic](*matched(window, slots, by_slot))

    def null_distribution(self, length: int) -> NullDistribution:
        """Return the null distribution for windows of ``length`` blocks."""
        if self.rhythm.periods >= 2 and length <= len(self.rhythm.reference) // 2:
            return self._from_other_days(length)
        return self._from_neighbours(length)

    def _from_other_days(self, length: int) -> NullDistribution:
        """Estimate it by comparing each window of the reference with all other days."""
        reference = self.rhythm.reference
        slots = self.rhythm.slot(reference.numbers)
        starts = range(len(reference) - length + 1)
        found = [
            self.distances(
                reference.counts[s : s + length], slots[s : s + length], self.rhythm.by_slot(s, s + length)
            )
            for s in starts
        ]
        return self._fitted(np.array(found), len(reference) / length)

    def _from_neighbours(self, length: int) -> NullDistribution:
        """Estimate it by comparing short windows with their neighbours; noise is assumed to decrease with length.

        Used if the reference has fewer than two periods, so that days cannot be compared. The reference must hold
        at least three windows longer than its memory.
        """
        reference = self.rhythm.reference
        short = max(1, min(length, len(reference) // 8), 2 * self.rhythm.memory)
        no_slots = np.zeros(short, np.int64)
        found = []
        for start in range(short, len(reference) - 2 * short + 1):
            neighbours = reference.counts[start - short : start + 2 * short].sum(axis=0, keepdims=True)
            inside = reference.counts[start : start + short]
            found.append(self.distances(inside, no_slots, neighbours - inside.sum(axis=0, keepdims=True)))
        copies = max(1.0, self.rhythm.periods)
        scale = (1 + 1 / copies) / max(length, short) / (1.5 / short)
        estimate = self._fitted(np.array(found), max(1.0, len(reference) / short / 3))
        return NullDistribution(estimate.mean * scale, estimate.shape, estimate.windows)

    def _fitted(self, distances: Floats, windows: float) -> NullDistribution:
        energies = energy(self.statistic, distances)
        mean = _mean(energies)
        with np.errstate(invalid="ignore", divide="ignore"):
            shapes = mean**2 / _mean((energies - mean) ** 2)
        # Few windows estimate the shape poorly, so it is limited: at most the median of all series, at least one
        # degree of freedom.
        known = shapes[np.isfinite(shapes)]
        usual = max(0.5, float(np.median(known))) if len(known) else 0.5
        return NullDistribution(mean, np.clip(np.where(np.isfinite(shapes), shapes, 0.5), 0.5, usual), windows)


def _mean(values: Floats) -> Floats:
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
