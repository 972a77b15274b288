"""Compare recent samples with the training data of the champion: metrics, scale, sampling interval."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from netops.config.durations import SECOND
from netops.models.likeness import differences

if TYPE_CHECKING:
    from netops.models.card import ModelCard

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: Samples stored, in total and per request, so that a single request does not fill the buffer.
_CAPACITY, _OF_REQUEST = 512, 64
#: Minimum samples for a comparison.
_MIN_SAMPLES = 200
#: Samples between two comparisons.
_EVERY = 5_000
#: Maximum number of metrics compared, so that a request does not wait for it.
_METRICS = 100


class RecentSamples:
    """A few hundred of the newest samples, and their time gaps per device.

    Parameters
    ----------
    metrics : sequence of str

    Attributes
    ----------
    found : tuple of str
        Differences from the training data, one line each; empty until there are enough samples.
    """

    def __init__(self, metrics: Sequence[str]) -> None:
        self._metrics = tuple(metrics)[:_METRICS]
        self._values = np.full((_CAPACITY, len(self._metrics)), np.nan)
        self._gaps = np.full(_CAPACITY, np.nan)
        self._taken = self._seen = 0
        self._next = _MIN_SAMPLES
        self.found: tuple[str, ...] = ()

    @property
    def due(self) -> bool:
        """Whether it is time to compare again."""
        return self._seen >= self._next and self._taken >= _MIN_SAMPLES

    def add(self, codes: Integers, timestamps: Integers, values: Floats, newest: Integers) -> None:
        """Add samples of a request.

        Parameters
        ----------
        codes, timestamps : int64 arrays, n
        values : float64 array, n × metrics
        newest : int64 array, by code
            The newest time of each device before this request; negative if there is none.
        """
        self._seen += len(codes)
        if len(codes) == 1:
            self._add_one(int(timestamps[0]), values[0], int(newest[codes[0]]))
            return
        codes, timestamps = codes[:_OF_REQUEST], timestamps[:_OF_REQUEST]
        # Only the first of several samples of a device is adjacent to its previous sample.
        codes, first = np.unique(codes, return_index=True) if len(codes) > 1 else (codes, slice(None))
        before = newest[codes]
        gaps = (timestamps[first] - before) / SECOND
        slots = np.arange(self._taken, self._taken + len(codes)) % _CAPACITY
        self._gaps[slots] = np.where((before >= 0) & (gaps > 0), gaps, np.nan)
        self._values[slots] = values[:_OF_REQUEST][first][:, : len(self._metrics)]
        self._taken += len(codes)

    def _add_one(self, timestamp: int, values: Floats, before: int) -> None:
        slot = self._taken % _CAPACITY
        self._gaps[slot] = (timestamp - before) / SECOND if 0 <= before < timestamp else np.nan
        self._values[slot] = values[: len(self._metrics)]
        self._taken += 1

    def compare(self, card: "ModelCard") -> tuple[str, ...]:
        """Compare with the training data of a model; return new differences, one line each."""
        self._next = self._seen + _EVERY
        values = self._values[: min(self._taken, _CAPACITY)]
        gaps = self._gaps[np.isfinite(self._gaps)]
        columns = {name: column[np.isfinite(column)] for name, column in zip(self._metrics, values.T, strict=True)}
        interval = float(np.median(gaps)) if len(gaps) >= _MIN_SAMPLES // 2 else 0.0
        before, self.found = self.found, tuple(differences(columns, interval, card).findings())
        return tuple(line for line in self.found if line not in before)

    def reset(self) -> None:
        """Clear the differences, for a new model."""
        self.found, self._next = (), self._seen
