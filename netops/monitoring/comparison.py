"""Windows of the present against the reference, at the same times of the day.

A statistic alone says little: the network has a daily rhythm, neighbouring samples say nearly the same, and one
window is compared in many features. What chance does is therefore read from the reference itself. Windows of the
same length are taken out of it and compared with the rest of it, and a window of the present is significant when
its statistic is beyond what an F distribution, fitted to those, allows (Satterthwaite 1946: a sum of squares of
correlated noise is about a scaled chi-square; the mean of the few windows that calibrate it is another).
"""

from dataclasses import dataclass

import numpy as np

from netops.monitoring.distances import STATISTICS, energy
from netops.monitoring.histograms import Floats, Histograms, Ints

#: A slot of the rhythm, or a window, with a smaller share of the usual samples says nothing.
_ENOUGH = 0.1


@dataclass(frozen=True)
class Rhythm:
    """A reference by time of the day (or of whatever period the network has).

    Attributes
    ----------
    reference : Histograms
    slots : int
        Blocks in a period.
    memory : int
        Blocks that two times must lie apart to tell different things: the longest window of the features.
    """

    reference: Histograms
    slots: int
    memory: int = 1

    def slot(self, numbers: Ints) -> Ints:
        """Give the place of blocks in the period."""
        return numbers % self.slots

    def by_slot(self, start: int = 0, stop: int = 0) -> Ints:
        """Sum up the reference by slot, without its blocks start:stop: slots × S × K."""
        counts, slots = self.reference.counts.copy(), self.slot(self.reference.numbers)
        counts[start:stop] = 0
        total = np.zeros((self.slots, *counts.shape[1:]), np.int64)
        np.add.at(total, slots, counts)
        return total

    @property
    def periods(self) -> float:
        """How many periods the reference covers."""
        return len(self.reference) / self.slots


def matched(window: Ints, slots: Ints, by_slot: Ints) -> tuple[Floats, Floats]:
    """Give the shares of a window, and of the reference at the same times with the same weights.

    Parameters
    ----------
    window : int64 array, blocks × S × K
    slots : int64 array, blocks
        Their places in the period.
    by_slot : int64 array, slots × S × K
        The reference. What it hardly knows is left out of the window.

    Returns
    -------
    float64 arrays, S × K
        NaN for a series of which too little is left.
    """
    sums = by_slot.sum(axis=-1)
    known = sums > _ENOUGH * np.median(sums, axis=0, keepdims=True)
    usable = known[slots]
    counts = window * usable[..., None]
    weights = counts.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.nansum(weights[..., None] * (by_slot / sums[..., None])[slots], axis=0)
        total = weights.sum(axis=0)
        return counts.sum(axis=0) / total[:, None], expected / total[:, None]


@dataclass(frozen=True)
class Chance:
    """What the statistic comes to where nothing has changed.

    Attributes
    ----------
    mean : float64 array, S
        Of its energy; NaN where the reference cannot tell.
    shape : float64 array, S
        Of the gamma distribution of the energy.
    windows : float
        How many independent windows have told it.
    """

    mean: Floats
    shape: Floats
    windows: float

    def p_values(self, energies: Floats) -> Floats:
        """Give the chance of an energy at least as large, (…, S)."""
        from scipy.special import fdtrc

        # Where the reference never moved at all, any move is beyond chance.
        ratio = energies / np.maximum(self.mean, 1e-12)
        values: Floats = fdtrc(2 * self.shape, 2 * self.shape * self.windows, ratio)
        return values


@dataclass(frozen=True)
class Comparer:
    """Compares windows with a reference by one statistic."""

    rhythm: Rhythm
    statistic: str

    def distances(self, window: Ints, slots: Ints, by_slot: Ints) -> Floats:
        """Give the statistic of each series, S."""
        return STATISTICS[self.statistic](*matched(window, slots, by_slot))

    def chance(self, length: int) -> Chance:
        """Calibrate for windows of so many blocks."""
        if self.rhythm.periods >= 2 and length <= len(self.rhythm.reference) // 2:
            return self._from_other_days(length)
        return self._from_neighbours(length)

    def _from_other_days(self, length: int) -> Chance:
        """Compare each window of the reference with all other days."""
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

    def _from_neighbours(self, length: int) -> Chance:
        """Compare short stretches with what lies around them, and take their noise to fall as time goes on.

        Two periods at the least show what one day differs from the next; with less, this has to do. A reference
        that holds no three stretches longer than its memory tells nothing.
        """
        reference = self.rhythm.reference
        short = max(1, min(length, len(reference) // 8), 2 * self.rhythm.memory)
        nowhere = np.zeros(short, np.int64)
        found = []
        for start in range(short, len(reference) - 2 * short + 1):
            around = reference.counts[start - short : start + 2 * short].sum(axis=0, keepdims=True)
            inside = reference.counts[start : start + short]
            found.append(self.distances(inside, nowhere, around - inside.sum(axis=0, keepdims=True)))
        copies = max(1.0, self.rhythm.periods)
        scale = (1 + 1 / copies) / max(length, short) / (1.5 / short)
        chance = self._fitted(np.array(found), max(1.0, len(reference) / short / 3))
        return Chance(chance.mean * scale, chance.shape, chance.windows)

    def _fitted(self, distances: Floats, windows: float) -> Chance:
        energies = energy(self.statistic, distances)
        mean = _mean(energies)
        with np.errstate(invalid="ignore", divide="ignore"):
            shapes = mean**2 / _mean((energies - mean) ** 2)
        # A few windows tell a shape badly: none is taken to be better behaved than the usual series, and none worse
        # than a single degree of freedom.
        known = shapes[np.isfinite(shapes)]
        usual = max(0.5, float(np.median(known))) if len(known) else 0.5
        return Chance(mean, np.clip(np.where(np.isfinite(shapes), shapes, 0.5), 0.5, usual), windows)


def _mean(values: Floats) -> Floats:
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
