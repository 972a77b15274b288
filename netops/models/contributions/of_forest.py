"""Contribution of each feature to the log-odds of a forest (:mod:`netops.models.forest`)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netops.kernels import kernel
from netops.models.contributions.of_trees import Contributions, Scaled, Sums, TreeContributions
from netops.models.forest import SMALLEST, log_odds


@dataclass(frozen=True)
class ForestContributions:
    """Contributions to the log-odds of a forest.

    Those to the risk, which are path contributions or Shapley values, are multiplied by one factor per sample, such
    that they add up to its log-odds: their order and proportions are those of the risk.
    """

    trees: TreeContributions

    @cached_property
    def expected(self) -> float:
        """Log-odds of the mean risk of the training split."""
        return float(log_odds(np.array(self.trees.expected)))

    def walk(self, scaled: Scaled) -> tuple[Contributions, list[Sums]]:
        """Return the path contributions of n × F scaled features, n × F log-odds, and what :meth:`sums` does."""
        contributions, sums = self.trees.walk(scaled)
        return self._to_odds(contributions), sums

    def sums(self, scaled: Scaled) -> list[Sums]:
        """Return the output of the trees' node in the model file, n × 1, for n × F scaled features."""
        return self.trees.sums(scaled)

    def exact(self, scaled: Scaled) -> Contributions:
        """Return the Shapley values of n × F scaled features: n × F log-odds."""
        return self._to_odds(self.trees.exact(scaled))

    def _to_odds(self, contributions: Contributions) -> Contributions:
        _to_odds(contributions, self.trees.expected, self.expected)
        return contributions


@kernel
def _to_odds(contributions: Contributions, expected: float, odds: float) -> None:
    for row in range(len(contributions)):
        moved = 0.0
        for column in range(contributions.shape[1]):
            moved += contributions[row, column]
        if moved != 0.0:  # otherwise nothing changes the risk
            risk = min(max(expected + moved, 0.0), 1.0)
            factor = (np.log((risk + SMALLEST) / (1 - risk + SMALLEST)) - odds) / moved
            for column in range(contributions.shape[1]):
                contributions[row, column] *= factor
