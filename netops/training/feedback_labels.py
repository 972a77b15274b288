"""Training labels from operators' verdicts on alerts, and the samples excluded from metrics.

An alert predicts a failure of its device within the horizon. Feedback that confirms it or reports a repair in time
means that a failure was imminent: it is assumed to start when the risk had decreased (or at the repair), at the
latest one horizon after the alert opened. ``docs/feedback.md`` gives the reasons.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.alerting.alerts import Alerts
from netops.alerting.matching import FALSE, match
from netops.alerting.sequences import UNKNOWN, Flags, Incidents, Integers, Sequences
from netops.feedback.records import DISMISSED
from netops.telemetry.dataset import TIME_TYPE
from netops.telemetry.schema import DEVICE
from netops.training.labels import NO_LABEL


@dataclass(frozen=True)
class Verdicts:
    """Verdicts on alerts of devices that have telemetry.

    Attributes
    ----------
    device : int64 array
        Index of the device in the sequences.
    opened : int64 array
        When the alert opened, nanoseconds since the epoch.
    start, end : int64 array
        Of the imminent failure; the state of the device from the start to the end is unknown. Of a
        dismissed alert: the time it was open.
    verdict : tuple of str
        ``confirmed``, ``repaired`` or ``dismissed``.
    corroborated : bool array
        Whether an incident agrees, or contradicts a dismissed alert: then only the incident is used.
    horizon : int
        Nanoseconds.
    """

    device: Integers
    opened: Integers
    start: Integers
    end: Integers
    verdict: tuple[str, ...]
    corroborated: Flags
    horizon: int

    @classmethod
    def from_table(cls, table: pa.Table, devices: Sequence[str], incidents: Incidents, horizon: int) -> "Verdicts":
        """Read the verdicts of a dataset (``Dataset.verdicts()``)."""
        indices = {name: index for index, name in enumerate(devices)}
        known = [name in indices for name in table.column(DEVICE).to_pylist()]
        table = table.filter(pa.array(known, pa.bool_()))
        device = np.array([indices[name] for name in table.column(DEVICE).to_pylist()], np.int64)
        opened, calm, ended, repaired = (
            _times(table, name) for name in ("opened", "calm_since", "ended", "repaired_at")
        )
        verdict = tuple(table.column("verdict").to_pylist())
        until = np.where(repaired < UNKNOWN, repaired, np.minimum(calm, ended))
        start = np.clip(until, opened + 1, opened + horizon)
        # From the last high risk to the end of the alert, the time of repair or failure is unknown.
        over = np.where(repaired < UNKNOWN, repaired, np.where(ended < UNKNOWN, ended, start + horizon))
        end = np.maximum(start, over)
        harmless = np.array([name == DISMISSED for name in verdict], bool)
        start, end = (
            np.where(harmless, opened, start),
            np.where(harmless, np.where(ended < UNKNOWN, ended, opened + horizon), end),
        )
        return cls(device, opened, start, end, verdict, _corroborated(device, opened, incidents, horizon), horizon)

    def __len__(self) -> int:
        """Count the verdicts."""
        return len(self.device)

    @property
    def coming(self) -> Flags:
        """The verdicts that are the only evidence of an impending failure."""
        return ~self._dismissed & ~self.corroborated

    def teach(self, sequences: Sequences, labels: npt.NDArray[np.int8], inside: Flags) -> npt.NDArray[np.int8]:
        """Add the verdicts to labels: 1 within the horizon before an impending failure.

        Samples from a horizon before the alert opened until the problem was over have no label, because it is
        unknown whether the failure was that near. Labels from incidents are unchanged.

        Parameters
        ----------
        sequences : Sequences
        labels : int8 array, rows
            By the incidents.
        inside : bool array, rows
            Inside an incident.
        """
        if not self.coming.any():
            return labels
        labelled = labels.copy()
        unsure = self.left_out(sequences)
        labelled[unsure & (labelled == 0)] = NO_LABEL
        for span in self._spans(sequences, self.coming, self.start - self.horizon, self.start):
            labelled[span] = np.where(inside[span], labelled[span], 1)
        return labelled

    def left_out(self, sequences: Sequences) -> Flags:
        """Mark the rows whose label is only from a verdict: they are excluded from metrics."""
        rows = np.zeros(len(sequences), bool)
        for span in self._spans(sequences, self.coming, self.opened - self.horizon, self.end):
            rows[span] = True
        return rows

    def dismissed(self, sequences: Sequences) -> Flags:
        """Mark the rows of dismissed alerts that no incident corroborates."""
        rows = np.zeros(len(sequences), bool)
        for span in self._spans(sequences, self._dismissed & ~self.corroborated, self.start, self.end):
            rows[span] = True
        return rows

    @property
    def _dismissed(self) -> Flags:
        return np.array([name == DISMISSED for name in self.verdict], bool)

    def _spans(self, sequences: Sequences, which: Flags, since: Integers, until: Integers) -> Iterator[slice]:
        """Return the rows from one time (included) to another (excluded) on the device of each verdict."""
        for index in np.flatnonzero(which).tolist():
            first, last = sequences.offsets[self.device[index]], sequences.offsets[self.device[index] + 1]
            times = sequences.timestamps[first:last]
            low, high = np.searchsorted(times, (since[index], until[index]))
            yield slice(int(first + low), int(first + high))


def _corroborated(device: Integers, opened: Integers, incidents: Incidents, horizon: int) -> Flags:
    nothing = np.zeros(len(device))
    alerts = Alerts(device, opened, opened, nothing, opened, np.zeros(len(device), bool))
    return match(alerts, incidents, horizon).kind != FALSE


def _times(table: pa.Table, column: str) -> Integers:
    return table.column(column).cast(TIME_TYPE).cast(pa.int64()).fill_null(UNKNOWN).to_numpy()
