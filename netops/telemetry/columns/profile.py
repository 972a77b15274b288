"""Statistics of the changes of a numeric column, to distinguish metrics, counters, clocks and constants."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

# A clock, or a count of rows, may be irregular occasionally: at a gap, at a restart.
_REGULAR = 0.99
_MOSTLY = 0.95
# After a reset, a counter is a small fraction of its previous value.
_RESTART = 0.5


@dataclass(frozen=True)
class Profile:
    """Statistics of a column; the sum of two describes both parts together.

    Attributes
    ----------
    known, infinite : int
        Number of known values, and of infinite ones (these count as unknown).
    minimum, maximum : float
        Of the known values.
    whole : bool
        Whether all known values are integers.
    devices, moving : int
        Devices with known values, and devices in which the values change.
    steps, rises, restarts, falls : int
        Pairs of consecutive known values of a device; those that rise, drop like a counter that is
        reset, and drop otherwise.
    clocked : int
        Steps of the devices in which the column counts rows or time.
    """

    known: int = 0
    infinite: int = 0
    minimum: float = np.inf
    maximum: float = -np.inf
    whole: bool = True
    devices: int = 0
    moving: int = 0
    steps: int = 0
    rises: int = 0
    restarts: int = 0
    falls: int = 0
    clocked: int = 0

    def __add__(self, other: "Profile") -> "Profile":
        sums = {name: getattr(self, name) + getattr(other, name) for name in _SUMMED}
        return Profile(
            minimum=min(self.minimum, other.minimum),
            maximum=max(self.maximum, other.maximum),
            whole=self.whole and other.whole,
            **sums,
        )

    @property
    def is_constant(self) -> bool:
        """Whether the column is constant on every device."""
        return self.minimum == self.maximum

    @property
    def is_clock(self) -> bool:
        """Whether the column counts rows or time: it rises, or falls, by a constant step."""
        return self.steps >= 30 and self.clocked >= _REGULAR * self.steps

    @property
    def is_counter(self) -> bool:
        """Whether the column only increases, except for rare resets: integers, or at every step.

        At least a hundred steps and five rises are required: with fewer, any column may rise by chance.
        """
        rising = self.whole or self.rises >= _MOSTLY * self.steps
        seldom = self.restarts <= 0.02 * self.rises or (self.restarts == 1 and self.rises >= 10)
        return rising and seldom and self.minimum >= 0 and self.falls == 0 and self.rises >= 5 and self.steps >= 100


_SUMMED = ("known", "infinite", "devices", "moving", "steps", "rises", "restarts", "falls", "clocked")


def profile(offsets: Int64, timestamps: Int64, values: Float64) -> Profile:
    """Describe one column of sorted rows.

    Parameters
    ----------
    offsets : int64 array, devices + 1
        Device i owns the rows offsets[i]:offsets[i + 1].
    timestamps : int64 array, n
        Nanoseconds.
    values : float64 array, n
        NaN or infinite where unknown.
    """
    rows = np.flatnonzero(np.isfinite(values))
    infinite = int(np.isinf(values).sum())
    if not len(rows):
        return Profile(infinite=infinite)
    held, owner = values[rows], np.searchsorted(offsets, rows, side="right") - 1
    same = owner[1:] == owner[:-1]
    before, after = held[:-1][same], held[1:][same]
    change = after - before
    restarts = (change < 0) & (after <= _RESTART * before) & (after >= 0)
    rises = int((change > 0).sum())
    moved = np.zeros(len(offsets), bool)
    moved[owner[1:][same][change != 0]] = True
    clocked = 0
    if max(rises, int((change < 0).sum())) >= _MOSTLY * len(change) > 0:
        clocked = _clocked(change, np.diff(timestamps[rows])[same], np.diff(rows)[same], owner[1:][same])
    return Profile(
        len(rows),
        infinite,
        float(held.min()),
        float(held.max()),
        bool((held == np.floor(held)).all()),
        int(np.count_nonzero(np.bincount(owner))),
        int(moved.sum()),
        len(change),
        rises,
        int(restarts.sum()),
        int(((change < 0) & ~restarts).sum()),
        clocked,
    )


def _clocked(change: Float64, elapsed: Int64, rows: Int64, owner: Int64) -> int:
    """Count the steps of devices in which nearly every change is equal, per row or per unit of time."""
    steps = 0
    edges = np.flatnonzero(np.diff(owner, prepend=-1, append=-1))
    for start, end in pairwise(edges):
        by_row, by_time = change[start:end] / rows[start:end], change[start:end] / elapsed[start:end].clip(1)
        if _even(by_row) or _even(by_time):
            steps += int(end - start)
    return steps


def _even(pace: Float64) -> bool:
    usual = np.median(pace)
    same = (np.abs(pace - usual) <= 1e-6 * abs(usual)).mean()
    return bool(usual != 0 and same >= (_MOSTLY if len(pace) >= 20 else 1))
