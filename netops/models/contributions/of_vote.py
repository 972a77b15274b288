"""Contribution of each feature to the log-odds of a vote: the mean of what its members say.

The log-odds of a vote are the mean of its members' after their calibration, which is a straight line. So are the
contributions: exact where those of all members are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
    fast, exact : callable
        From n × F raw features to the contributions to its log-odds.
    slope, intercept : float
        Of its calibration.
    """

    expected: float
    fast: Callable[[Features], Contributions]
    exact: Callable[[Features], Contributions]
    slope: float
    intercept: float

    def calibrated(self, contributions: Contributions) -> Contributions:
        """Turn contributions to its log-odds into those to the calibrated log-odds."""
        raw = self.expected + contributions.sum(axis=1)
        start, moved = float(np.clip(self.expected, -LIMIT, LIMIT)), raw - self.expected
        # The file clips the log-odds of a member: the clipped excess does not count, in proportion.
        beyond = np.abs(raw) > LIMIT
        factor = np.ones(len(raw))
        factor[beyond] = (np.clip(raw[beyond], -LIMIT, LIMIT) - start) / moved[beyond]
        return contributions * (self.slope * factor)[:, None]


@dataclass(frozen=True)
class VoteContributions:
    """The members of a vote, prepared for explanations."""

    voices: tuple[Voice, ...]

    @property
    def expected(self) -> float:
        """Log-odds before any feature is known."""
        return float(np.mean([voice.slope * voice.expected + voice.intercept for voice in self.voices]))

    def fast(self, features: Features) -> Contributions:
        """Return the mean of the members' quick contributions of n × F raw features: n × F log-odds."""
        return self._mean([voice.calibrated(voice.fast(features)) for voice in self.voices])

    def exact(self, features: Features) -> Contributions:
        """Return the mean of the members' exact contributions of n × F raw features: n × F log-odds."""
        return self._mean([voice.calibrated(voice.exact(features)) for voice in self.voices])

    def _mean(self, contributions: list[Contributions]) -> Contributions:
        total = contributions[0]
        for other in contributions[1:]:
            total += other
        return total / len(contributions)
