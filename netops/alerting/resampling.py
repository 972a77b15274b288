"""Bootstrap intervals over devices and incidents, because the samples of one device are not independent.

The unit is a *period*: the time of a device from the end of one incident to the end of the next. Devices are drawn
with replacement, then periods of each drawn device (two-stage cluster bootstrap, Davison and Hinkley 1997,
section 3.8).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.alerting.sequences import Floats, Incidents, Integers, Sequences
from netops.kernels import kernel

TIMES = 200
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A percentile interval; NaN if it cannot be estimated."""

    low: float
    high: float


@dataclass(frozen=True)
class Periods:
    """The units of resampling.

    Period ``incidents.offsets[d] + d + i`` ends with incident i of device d; the last one of each device is open.

    Attributes
    ----------
    of_row : int64 array, rows
        The period of each sample.
    first : int64 array, devices + 1
        Device d has the periods first[d]:first[d + 1].
    present : int64 array
        Periods with samples, sorted.
    """

    of_row: Integers
    first: Integers
    present: Integers

    @classmethod
    def of(cls, sequences: Sequences, incidents: Incidents) -> "Periods":
        """Split the sequences at the ends of the incidents."""
        of_row = _periods(sequences.offsets, sequences.timestamps, incidents.offsets, incidents.end)
        first = incidents.offsets + np.arange(len(incidents.offsets))
        return cls(of_row, first, np.unique(of_row))

    def __len__(self) -> int:
        """Return the number of periods, including those without samples."""
        return int(self.first[-1])

    def weights(self, seed: int, times: int = TIMES) -> npt.NDArray[np.float64]:
        """Draw bootstrap resamples.

        Returns
        -------
        float64 array, times × periods
            How often each period was drawn.
        """
        device = np.searchsorted(self.first, self.present, side="right") - 1
        starts = np.flatnonzero(np.diff(device, prepend=-1))
        sizes = np.diff(np.append(starts, len(device)))
        generator = np.random.default_rng(seed)
        weights = np.zeros((times, len(self)))
        for resample in weights:
            drawn = generator.integers(len(starts), size=len(starts))
            size = np.repeat(sizes[drawn], sizes[drawn])
            index = np.repeat(starts[drawn], sizes[drawn]) + (generator.random(len(size)) * size).astype(np.int64)
            resample[:] = np.bincount(self.present[index], minlength=len(self))
        return weights


def interval(values: Floats, level: float = LEVEL) -> Interval:
    """Return the percentile interval of resampled values; non-finite values are ignored."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


@kernel
def period_at(device, time, incident_offsets, end):  # type: ignore[no-untyped-def]
    """Return the period of a device at a time."""
    first = incident_offsets[device]
    return first + device + np.searchsorted(end[first : incident_offsets[device + 1]], time, side="right")


@kernel
def _periods(offsets, timestamps, incident_offsets, end):  # type: ignore[no-untyped-def]
    period = np.empty(len(timestamps), dtype=np.int64)
    for device in range(len(offsets) - 1):
        index, last = incident_offsets[device], incident_offsets[device + 1]
        for row in range(offsets[device], offsets[device + 1]):
            while index < last and end[index] <= timestamps[row]:
                index += 1
            period[row] = index + device
    return period
