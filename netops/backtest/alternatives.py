"""What another threshold, or another alert budget, would have done."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netops.alerting.outcomes import Part, Rates, candidates, outcomes, rates_by_threshold
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Floats
from netops.evaluation.threshold import best_within, selective

#: Thresholds shown on either side of the one in force.
SIDE = 4
#: Alert budgets tried, as shares of the one in force.
BUDGETS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Alternative:
    """A threshold, and what it would have done; ``budget`` (a device and week) where it was chosen for one."""

    threshold: float
    event_recall: float
    false_alarms_per_device_day: float
    precision: float
    median_lead_seconds: float
    in_force: bool = False
    budget: float | None = None


class Sweep:
    """The alert machine run at many thresholds, once for all questions.

    Parameters
    ----------
    part : Part
        What counts of the history.
    risks : float64 array, rows of the part
    policy : AlertPolicy
        With the threshold in force.
    """

    def __init__(self, part: Part, risks: Floats, policy: AlertPolicy) -> None:
        self.policy = policy
        usual = selective(candidates(part, risks), part, risks)
        self.thresholds = np.unique(np.append(usual, policy.threshold))[::-1].copy()
        found = outcomes(part, risks, policy, self.thresholds)
        self.rates: Rates = rates_by_threshold(part, found)

    def thresholds_around(self) -> list[Alternative]:
        """Give the threshold in force between those next to it at which something changes, falling."""
        here = int(np.flatnonzero(self.thresholds == self.policy.threshold)[0])
        above = self._changes(range(here - 1, -1, -1), here)
        below = self._changes(range(here + 1, len(self.thresholds)), here)
        indices = [*above[SIDE - 1 :: -1], here, *below[:SIDE]]
        return [self._at(index) for index in indices]

    def budgets(self, in_force: float, shares: Sequence[float] = BUDGETS) -> list[Alternative]:
        """Choose the threshold for each of some budgets by what happened, as a training does on validation.

        Parameters
        ----------
        in_force : float
            False alarms a device and week.
        shares : sequence of float
            Of it.
        """
        recall = np.nan_to_num(self.rates.event_recall)
        found = []
        for budget in [in_force * share for share in shares]:
            within = np.flatnonzero(self.rates.false_alarms_per_device_day <= budget / 7)
            if len(within):
                found.append(self._at(best_within(within, recall), budget))
        return found

    def _changes(self, indices: Sequence[int], here: int) -> list[int]:
        """Take the first threshold of each row of thresholds that do the same."""
        found, before = [], self._does(here)
        for index in indices:
            if (does := self._does(index)) != before:
                found.append(index)
                before = does
        return found

    def _does(self, index: int) -> tuple[float, float]:
        rates = self.rates
        return float(np.nan_to_num(rates.event_recall[index])), float(rates.false_alarms_per_device_day[index])

    def _at(self, index: int, budget: float | None = None) -> Alternative:
        figures = [float(getattr(self.rates, name)[index]) for name in Rates.__dataclass_fields__]
        recall, precision, false_alarms, lead = figures
        threshold = float(self.thresholds[index])
        in_force = threshold == self.policy.threshold
        return Alternative(threshold, recall, false_alarms, precision, lead, in_force, budget)
