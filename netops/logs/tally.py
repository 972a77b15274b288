"""Count the messages of a device for its samples, stored ones or as they arrive."""

import numpy as np
import numpy.typing as npt

from netops.config.durations import SECOND
from netops.logs.columns import LogColumns
from netops.logs.records import Int8, Int32, Int64
from netops.logs.severity import ERROR, WARNING
from netops.logs.templates.miner import NEW

Floats = npt.NDArray[np.float64]
_NEVER = -(1 << 62)


class Tally:
    """The messages of one device that no sample has counted yet.

    Samples are taken in the order of their times; messages may come in any order before their sample.

    Parameters
    ----------
    columns : LogColumns

    Attributes
    ----------
    late : int
        Messages that came after a sample of their time or later, and are not counted.
    """

    def __init__(self, columns: LogColumns) -> None:
        self.late = 0
        self._columns = columns
        self._last, self._error = _NEVER, _NEVER
        self._times = np.zeros(0, np.int64)
        self._severities, self._templates = np.zeros(0, np.int8), np.zeros(0, np.int32)

    def add(self, times: Int64, severities: Int8, templates: Int32) -> None:
        """Add messages.

        Parameters
        ----------
        times : int64 array, n
            Nanoseconds since the epoch.
        severities : int8 array, n
        templates : int32 array, n
        """
        fresh = times > self._last
        self.late += int(np.count_nonzero(~fresh))
        times = np.concatenate([self._times, times[fresh]])
        order = np.argsort(times, kind="stable")
        self._times = times[order]
        self._severities = np.concatenate([self._severities, severities[fresh]])[order]
        self._templates = np.concatenate([self._templates, templates[fresh]])[order]

    def take(self, samples: Int64) -> Floats:
        """Count the messages up to some samples.

        Parameters
        ----------
        samples : int64 array, n
            Times that rise, all after those of earlier calls.

        Returns
        -------
        float64 array, n × len(columns.names)
        """
        if not len(samples):
            return np.zeros((0, len(self._columns.names)))
        row_of = np.searchsorted(samples, self._times, side="left")
        until = int(np.searchsorted(row_of, len(samples)))
        row_of, times = row_of[:until], self._times[:until]
        near = samples[row_of] - times <= self._columns.reach
        severities, templates = self._severities[:until], self._templates[:until]
        found = np.column_stack(
            [
                *_general(len(samples), row_of[near], severities[near], templates[near]),
                self._since_error(samples, times[(severities >= 0) & (severities <= ERROR)]),
                *(_count(row_of[near & (templates == number)], len(samples)) for number in self._columns.selected),
            ]
        )
        self._times, self._last = self._times[until:], int(samples[-1])
        self._severities, self._templates = self._severities[until:], self._templates[until:]
        return found

    def _since_error(self, samples: Int64, errors: Int64) -> Floats:
        """Return the seconds since the last error; NaN before the first."""
        known = np.concatenate([[self._error], errors]).astype(np.int64)
        last = known[np.searchsorted(known, samples, side="right") - 1]
        self._error = int(known[-1])
        return np.where(last == _NEVER, np.nan, (samples - last) / SECOND)


def _general(count: int, row_of: Int64, severities: Int8, templates: Int32) -> list[Floats]:
    pairs = np.unique(np.stack([row_of, templates.astype(np.int64)])[:, templates != NEW], axis=1)
    return [
        _count(row_of, count),
        _count(row_of[(severities >= 0) & (severities <= ERROR)], count),
        _count(row_of[severities == WARNING], count),
        _count(row_of[templates == NEW], count),
        _count(pairs[0], count),
    ]


def _count(rows: Int64, count: int) -> Floats:
    return np.bincount(rows, minlength=count).astype(np.float64)
