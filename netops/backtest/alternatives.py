"""Results at other thresholds and alert budgets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netops.alerting.outcomes import EvaluationSplit, Rates, candidates, outcomes, rates_by_threshold
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Floats
from netops.evaluation.threshold import best_within, selective

#: Number of thresholds shown above and below the one in force.
SIDE = 4
#: Alert budgets that are tried, as multiples of the one in force.
BUDGETS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Alternative:
    """Results at a threshold; ``budget`` (false alarms per device-week) if it was chosen for one."""

    threshold: float
    event_recall: float
    false_alarms_per_device_day: float
    precision: float
    median_lead_seconds: float
    in_force: bool = False
    budget: float | None = None


class Sweep:
    """Outcomes at many thresholds, computed once.

    Parameters
    ----------
    part : Part
        The counted rows of the history.
    risks : float64 array, rows of the part
    policy : AlertPolicy
        The policy with the threshold in force.
    """

    def __init__(self, split: EvaluationSplit, risks: Floats, policy: AlertPolicy) -> None:
        self.policy = policy
        usual = selective(candidates(split, risks), split, risks)
        self.thresholds = np.unique(np.append(usual, policy.threshold))[::-1].copy()
        found = outcomes(split, risks, policy, self.thresholds)
        self.rates: Rates = rates_by_threshold(split, found)

    def thresholds_around(self) -> list[Alternative]:
        """Return the threshold in force and the nearest ones with different results, in decreasing order."""
        current = int(np.flatnonzero(self.thresholds == self.policy.threshold)[0])
        above = self._changes(range(current - 1, -1, -1), current)
        below = self._changes(range(current + 1, len(self.thresholds)), current)
        indices = [*above[SIDE - 1 :: -1], current, *below[:SIDE]]
        return [self._at(index) for index in indices]

    def budgets(self, in_force: float, shares: Sequence[float] = BUDGETS) -> list[Alternative]:
        """Return the best threshold for each alert budget, chosen in hindsight on the replayed telemetry.

        Parameters
        ----------
        in_force : float
            False alarms per device-week.
        shares : sequence of float
            Multiples of ``in_force``.
        """
        recall = np.nan_to_num(self.rates.event_recall)
        found = []
        for budget in [in_force * share for share in shares]:
            within = np.flatnonzero(self.rates.false_alarms_per_device_day <= budget / 7)
            if len(within):
                found.append(self._at(best_within(within, recall), budget))
        return found

    def _changes(self, indices: Sequence[int], current: int) -> list[int]:
        """Return the first threshold of each run of thresholds with equal results."""
        found, before = [], self._results(current)
        for index in indices:
            if (result := self._results(index)) != before:
                found.append(index)
                before = result
        return found

    def _results(self, index: int) -> tuple[float, float]:
        rates = self.rates
        return float(np.nan_to_num(rates.event_recall[index])), float(rates.false_alarms_per_device_day[index])

    def _at(self, index: int, budget: float | None = None) -> Alternative:
        figures = [float(getattr(self.rates, name)[index]) for name in Rates.__dataclass_fields__]
        recall, precision, false_alarms, lead = figures
        threshold = float(self.thresholds[index])
        in_force = threshold == self.policy.threshold
        return Alternative(threshold, recall, false_alarms, precision, lead, in_force, budget)
