"""Alerts of one set of risks on a split, matched to its incidents."""

from dataclasses import dataclass

import numpy as np

from netops.alerting.alerts import Alerts, open_alerts
from netops.alerting.matching import Matching, match
from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Floats, Integers


@dataclass(frozen=True)
class MatchedAlerts:
    """Alerts over an evaluation split and the incidents they match.

    Attributes
    ----------
    part : Part
        The evaluated split.
    policy : AlertPolicy
        With the threshold in service.
    risks : float64 array, rows of the split
    alerts : Alerts
    matching : Matching
    """

    split: EvaluationSplit
    policy: AlertPolicy
    risks: Floats
    alerts: Alerts
    matching: Matching

    @classmethod
    def of(cls, split: EvaluationSplit, risks: Floats, policy: AlertPolicy) -> "MatchedAlerts":
        """Open the alerts of a policy and match them to the incidents."""
        sequences = split.sequences
        alerts = open_alerts(policy, sequences.offsets, sequences.timestamps, risks, split.inside)
        return cls(split, policy, risks, alerts, match(alerts, split.incidents, split.horizon))

    @property
    def warned_from(self) -> Integers:
        """The time from which an alert counts as a warning, for each incident."""
        return self.split.incidents.warned_from(self.split.horizon)

    def spans(self, device: int, low: int, high: int) -> list[tuple[int, int]]:
        """List the periods in which alerts of a device were open and overlap low..high."""
        found = self.alerts
        mine = (found.device == device) & (found.closed >= low) & (found.opened <= high)
        return list(zip(found.opened[mine].tolist(), found.closed[mine].tolist(), strict=True))

    def window(self, incident: int) -> slice:
        """Find the rows in which an alert would have been a warning of an incident."""
        incidents, sequences = self.split.incidents, self.split.sequences
        device = incidents.device[incident]
        first, last = sequences.offsets[device], sequences.offsets[device + 1]
        times = sequences.timestamps[first:last]
        low, high = np.searchsorted(times, (self.warned_from[incident], incidents.start[incident]))
        return slice(int(first + low), int(first + high))

    def highest_risk(self, incident: int) -> float:
        """Return the highest risk before an incident; -1 if no sample before it was scored."""
        risks = self.risks[self.window(incident)]
        return float(np.nanmax(risks)) if np.isfinite(risks).any() else -1.0
