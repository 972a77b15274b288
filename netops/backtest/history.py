"""Past telemetry with labels and incidents, as arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from netops.alerting.outcomes import EvaluationSplit
from netops.alerting.sequences import Flags, Floats, Incidents, Integers, Sequences
from netops.telemetry.dataset import Dataset, matrix_of
from netops.training.feedback_labels import Verdicts
from netops.training.labelled import observe
from netops.training.labels import NO_LABEL


@dataclass(frozen=True)
class History:
    """A telemetry dataset in memory.

    Attributes
    ----------
    sequences : Sequences
        The samples, sorted by device and time.
    labels : int8 array, rows
        1, 0, or -1 for none.
    incidents : Incidents
    attributes : dict
        Attribute → its value for each device.
    values : float64 array, rows × metrics
        NaN where a metric is missing.
    horizon : int
        Nanoseconds.
    left_out : bool array, rows, or None
        Excluded rows, which are known only from feedback on an alert: no metric counts them.
    """

    sequences: Sequences
    labels: npt.NDArray[np.int8]
    incidents: Incidents
    attributes: dict[str, list[str]]
    values: Floats
    horizon: int
    left_out: Flags | None = None

    @classmethod
    def read(cls, dataset: Dataset, metrics: tuple[str, ...], horizon: int) -> "History":
        """Read a dataset; a metric that it does not have is missing in every sample."""
        sequences, labels, incidents, attributes = observe(dataset, horizon)
        values, first = np.full((len(sequences), len(metrics)), np.nan), 0
        for table in dataset.tables():
            known = [name for name in metrics if name in table.column_names]
            indices = [metrics.index(name) for name in known]
            values[first : first + table.num_rows, indices] = matrix_of(table, known)
            first += table.num_rows
        verdicts = Verdicts.from_table(dataset.verdicts(), sequences.devices, incidents, horizon)
        return cls(sequences, labels, incidents, attributes, values, horizon, verdicts.left_out(sequences))

    @cached_property
    def inside(self) -> Flags:
        """The rows inside an incident."""
        return self.incidents.inside(self.sequences)

    @cached_property
    def in_time(self) -> Integers:
        """The rows sorted by time, over all devices."""
        return np.lexsort((self.sequences.device_of_row, self.sequences.timestamps))

    def evaluation_split(self, keep: Flags) -> EvaluationSplit:
        """Return selected rows for evaluation."""
        labels, excluded = self.labels, self.left_out
        if excluded is not None:
            labels = np.where(excluded, np.int8(NO_LABEL), labels)
        facts = (self.incidents, self.horizon, self.attributes)
        return EvaluationSplit.where(keep, self.sequences, labels, *facts, excluded)

    def row_at(self, device: int, time: int) -> int:
        """Return the row of a device's sample at a time."""
        first, last = self.sequences.offsets[device], self.sequences.offsets[device + 1]
        return int(first + np.searchsorted(self.sequences.timestamps[first:last], time))
