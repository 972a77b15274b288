"""Contribution of each feature to the log-odds of a forest (:mod:`netops.models.forest`)."""

from dataclasses import dataclass

import numpy as np

from netops.models.contributions.of_trees import Contributions, Scaled, TreeContributions
from netops.models.forest import log_odds


@dataclass(frozen=True)
class ForestContributions:
    """Contributions to the log-odds of a forest.

    Those to the risk, which are path contributions or Shapley values, are multiplied by one factor per sample, such
    that they add up to its log-odds: their order and proportions are those of the risk.
    """

    trees: TreeContributions

    @property
    def expected(self) -> float:
        """Log-odds of the mean risk of the training split."""
        return float(log_odds(np.array(self.trees.expected)))

    def fast(self, scaled: Scaled) -> Contributions:
        """Return the path contributions of n × F scaled features: n × F log-odds."""
        return self._to_odds(self.trees.fast(scaled))

    def exact(self, scaled: Scaled) -> Contributions:
        """Return the Shapley values of n × F scaled features: n × F log-odds."""
        return self._to_odds(self.trees.exact(scaled))

    def _to_odds(self, contributions: Contributions) -> Contributions:
        moved = contributions.sum(axis=1)
        # If nothing changes the risk, all contributions are 0 for any factor.
        factor = (log_odds(self.trees.expected + moved) - self.expected) / np.where(moved == 0, 1.0, moved)
        return contributions * factor[:, None]
