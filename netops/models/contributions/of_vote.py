"""Contribution of each feature to the log-odds of a vote: the mean of what its members say.

The log-odds of a vote are the mean of its members' after their calibration, which is a straight line. So are the
contributions: exact where those of all members are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.kernels import kernel
from netops.models.contributions.of_trees import Sums
from netops.models.platt import LIMIT

Contributions = npt.NDArray[np.float64]
Features = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Voice:
    """A member of a vote.

    Attributes
    ----------
    expected : float
        Its log-odds before any feature is known.
    walk : callable
        From n × F raw features to the contributions to its log-odds, quickly, and the outputs of its trees.
    sums : callable
        From n × F raw features to the outputs of its trees.
    exact : callable
        From n × F raw features to the contributions to its log-odds.
    slope, intercept : float
        Of its calibration.
    """

    expected: float
    walk: Callable[[Features], tuple[Contributions, list[Sums]]]
    sums: Callable[[Features], list[Sums]]
    exact: Callable[[Features], Contributions]
    slope: float
    intercept: float

    def calibrated(self, contributions: Contributions) -> Contributions:
        """Turn contributions to its log-odds into those to the calibrated log-odds, in place."""
        _calibrate(contributions, self.expected, self.slope)
        return contributions


@kernel
def _calibrate(contributions: Contributions, expected: float, slope: float) -> None:
    start = min(max(expected, -LIMIT), LIMIT)
    for row in range(len(contributions)):
        moved = 0.0
        for column in range(contributions.shape[1]):
            moved += contributions[row, column]
        raw, factor = expected + moved, slope
        if abs(raw) > LIMIT:
            # The file clips the log-odds of a member: the clipped excess does not count, in proportion.
            factor *= (min(max(raw, -LIMIT), LIMIT) - start) / moved
        for column in range(contributions.shape[1]):
            contributions[row, column] *= factor


@dataclass(frozen=True)
class VoteContributions:
    """The members of a vote, prepared for explanations."""

    voices: tuple[Voice, ...]

    @property
    def expected(self) -> float:
        """Log-odds before any feature is known."""
        return float(np.mean([voice.slope * voice.expected + voice.intercept for voice in self.voices]))

    def walk(self, features: Features) -> tuple[Contributions, list[Sums]]:
        """Return the mean of the members' quick contributions of n × F raw features, and what :meth:`sums` does."""
        found = [voice.walk(features) for voice in self.voices]
        contributions = [voice.calibrated(one) for voice, (one, _) in zip(self.voices, found, strict=True)]
        return self._mean(contributions), [output for _, outputs in found for output in outputs]

    def sums(self, features: Features) -> list[Sums]:
        """Return the outputs of the members' trees, n × 1 each, for n × F raw features."""
        return [output for voice in self.voices for output in voice.sums(features)]

    def exact(self, features: Features) -> Contributions:
        """Return the mean of the members' exact contributions of n × F raw features: n × F log-odds."""
        return self._mean([voice.calibrated(voice.exact(features)) for voice in self.voices])

    def _mean(self, contributions: list[Contributions]) -> Contributions:
        total = contributions[0]
        for other in contributions[1:]:
            total += other
        return total / len(contributions)
