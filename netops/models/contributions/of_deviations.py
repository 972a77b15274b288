"""Contribution of each feature to the log-odds of a model of deviations: exact Shapley values.

They compare with a device whose terms are all 0: each metric at the middle of the fleet, and as usual for itself. A
level depends on one feature. A difference from the past depends on two, which share it: each gets the mean of what
it adds alone and of what it adds to the other (Shapley 1953, for two players).
"""

from dataclasses import dataclass

import numpy as np

from netops.models.contributions.of_trees import Sums
from netops.models.deviations import Deviations, Floats, surprise


@dataclass(frozen=True)
class DeviationContributions:
    """A model of deviations, prepared for explanations."""

    model: Deviations

    @property
    def expected(self) -> float:
        """Log-odds of a device without any deviation."""
        return self.model.intercept

    def walk(self, features: Floats) -> tuple[Floats, list[Sums]]:
        """Return what :meth:`exact` does, which is quick, and the outputs of no trees."""
        return self.exact(features), []

    def sums(self, features: Floats) -> list[Sums]:
        """Return the outputs of no trees."""
        return []

    def exact(self, features: Floats) -> Floats:
        """Return the contributions of n × F raw features: n × F log-odds."""
        model, found = self.model, np.zeros(features.shape)
        found[:, model.levels] = self._terms(features)[:, : len(model.levels)]
        whole, alone, mean = self._pasts(features)
        found[:, model.pasts] += (whole - mean + alone) / 2
        found[:, model.means] += (whole - alone + mean) / 2
        return model.slope * found

    def _terms(self, features: Floats) -> Floats:
        return surprise(self.model.scaled(features))

    def _pasts(self, features: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the terms of the past: of both features, of the current value alone, and of the mean alone."""
        model, count = self.model, len(self.model.levels)
        with np.errstate(invalid="ignore"):  # infinite values of both
            known = ~np.isnan(features[:, model.pasts] - features[:, model.means])
        current, mean = self._usual()
        first, second = features.copy(), features.copy()
        first[:, model.means], second[:, model.pasts] = mean, current
        whole, alone, other = (self._terms(some)[:, count:] for some in (features, first, second))
        return whole, np.where(known, alone, 0.0), np.where(known, other, 0.0)

    def _usual(self) -> tuple[Floats, Floats]:
        """Return current values and means of a device without deviations."""
        model = self.model
        position = {int(column): index for index, column in enumerate(model.levels)}
        current = np.array([model.scaling.centre[position[int(column)]] for column in model.pasts], np.float64)
        return current, current - model.scaling.centre[len(model.levels) :]
