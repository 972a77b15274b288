"""Read the healthy samples of a features dataset, thinned because neighbouring samples are nearly equal."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from netops.alerting.sequences import Flags, Floats, Incidents, Integers, Sequences
from netops.config.durations import SECOND
from netops.monitoring.histograms import Histograms
from netops.telemetry.dataset import Dataset, rows_of
from netops.telemetry.schema import DEVICE, TIMESTAMP
from netops.training.rows import pieces

#: Samples read per device and block.
_PER_BLOCK = 60


@dataclass(frozen=True)
class Healthy:
    """A features dataset and which of its samples are healthy.

    Attributes
    ----------
    dataset : Dataset
    sequences : Sequences
        Every sample.
    incidents : Incidents
    """

    dataset: Dataset
    sequences: Sequences
    incidents: Incidents

    @classmethod
    def of(cls, dataset: Dataset) -> "Healthy":
        """Read the keys of a dataset."""
        sequences = Sequences.of(rows_of(table) for table in dataset.tables([TIMESTAMP, DEVICE]))
        return cls(dataset, sequences, Incidents.from_table(dataset.incidents(), sequences.devices))

    @cached_property
    def inside(self) -> Flags:
        """The rows inside an incident."""
        return self.incidents.inside(self.sequences)

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last time, nanoseconds since the epoch."""
        return int(self.sequences.timestamps.min()), int(self.sequences.timestamps.max())

    def thinned(self, block: int, since: int = 0, max_rows: int | None = None) -> Integers:
        """Return the indices of healthy rows since a time, thinned per block and limited in number, increasing."""
        sequences = self.sequences
        interval = max(1, round(self.dataset.meta.interval_seconds * SECOND))
        stride = max(1, block // interval // _PER_BLOCK)
        # The offset differs by device, so that a thinned block still has samples at every time.
        index = np.arange(len(sequences)) - sequences.offsets[sequences.device_of_row] + sequences.device_of_row
        chosen = np.flatnonzero(~self.inside & (sequences.timestamps >= since) & (index % stride == 0))
        if max_rows is not None and len(chosen) > max_rows:
            chosen = chosen[:: -(-len(chosen) // max_rows)]
        return chosen.astype(np.int64)


def count(healthy: Healthy, rows: Integers, features: Histograms, missing: Histograms) -> None:
    """Add rows to the histograms of features and of missing values of metrics."""
    names = list(dict.fromkeys((*features.names, *missing.names)))
    of_feature, of_metric = ([names.index(name) for name in some.names] for some in (features, missing))
    for piece, values in pieces(healthy.dataset, names, rows):
        times = healthy.sequences.timestamps[rows[piece]]
        features.add(times, values[:, of_feature])
        missing.add(times, as_flags(np.isnan(values[:, of_metric])))


def as_flags(values: npt.NDArray[np.bool_]) -> Floats:
    """Convert flags to 0.0 and 1.0."""
    return values.astype(np.float64)
