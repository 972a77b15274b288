"""Reading a features dataset for monitoring: healthy samples, thinned, for their neighbours say nearly the same."""

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

#: Samples of a device that are read of each block.
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

    def thinned(self, block: int, since: int = 0, most: int | None = None) -> Integers:
        """Choose rows, rising: healthy, from a time on, so many of each block, and no more than so many in all."""
        sequences = self.sequences
        interval = max(1, round(self.dataset.meta.interval_seconds * SECOND))
        stride = max(1, block // interval // _PER_BLOCK)
        # Devices take turns, so that a thinned block still holds every time of it.
        index = np.arange(len(sequences)) - sequences.offsets[sequences.device_of_row] + sequences.device_of_row
        chosen = np.flatnonzero(~self.inside & (sequences.timestamps >= since) & (index % stride == 0))
        if most is not None and len(chosen) > most:
            chosen = chosen[:: -(-len(chosen) // most)]
        return chosen.astype(np.int64)


def count(healthy: Healthy, rows: Integers, features: Histograms, missing: Histograms) -> None:
    """Count chosen rows into the distributions of features and into the shares of missing values of metrics."""
    names = list(dict.fromkeys((*features.names, *missing.names)))
    of_feature, of_metric = ([names.index(name) for name in some.names] for some in (features, missing))
    for piece, values in pieces(healthy.dataset, names, rows):
        times = healthy.sequences.timestamps[rows[piece]]
        features.add(times, values[:, of_feature])
        missing.add(times, as_flags(np.isnan(values[:, of_metric])))


def as_flags(values: npt.NDArray[np.bool_]) -> Floats:
    """Write flags as the series of 0 and 1 that histograms count."""
    return values.astype(np.float64)
