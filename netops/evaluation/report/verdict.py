"""What one set of risks would have done on the test part, alert by alert."""

from dataclasses import dataclass

import numpy as np

from netops.alerting.alerts import Alerts, open_alerts
from netops.alerting.matching import Matching, match
from netops.alerting.outcomes import Part
from netops.alerting.policy import AlertPolicy
from netops.alerting.sequences import Floats, Integers


@dataclass(frozen=True)
class Verdict:
    """Alerts over the test part, and what became of them.

    Attributes
    ----------
    part : Part
        The test part.
    policy : AlertPolicy
        With the threshold in service.
    risks : float64 array, rows of the part
    alerts : Alerts
    matching : Matching
    """

    part: Part
    policy: AlertPolicy
    risks: Floats
    alerts: Alerts
    matching: Matching

    @classmethod
    def of(cls, part: Part, risks: Floats, policy: AlertPolicy) -> "Verdict":
        """Open the alerts of a policy and match them to the incidents."""
        sequences = part.sequences
        alerts = open_alerts(policy, sequences.offsets, sequences.timestamps, risks, part.inside)
        return cls(part, policy, risks, alerts, match(alerts, part.incidents, part.horizon))

    @property
    def warned_from(self) -> Integers:
        """From when on an alert counts as a warning, for each incident."""
        return self.part.incidents.warned_from(self.part.horizon)

    def spans(self, device: int, low: int, high: int) -> list[tuple[int, int]]:
        """List when alerts of a device were open, as far as they touch low..high."""
        found = self.alerts
        mine = (found.device == device) & (found.closed >= low) & (found.opened <= high)
        return list(zip(found.opened[mine].tolist(), found.closed[mine].tolist(), strict=True))

    def window(self, incident: int) -> slice:
        """Find the rows in which an alert would have been a warning of an incident."""
        incidents, sequences = self.part.incidents, self.part.sequences
        device = incidents.device[incident]
        first, last = sequences.offsets[device], sequences.offsets[device + 1]
        times = sequences.timestamps[first:last]
        low, high = np.searchsorted(times, (self.warned_from[incident], incidents.start[incident]))
        return slice(int(first + low), int(first + high))

    def highest_risk(self, incident: int) -> float:
        """Return how near an incident was to a warning; -1 if no sample before it was scored."""
        risks = self.risks[self.window(incident)]
        return float(np.nanmax(risks)) if np.isfinite(risks).any() else -1.0
