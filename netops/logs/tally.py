"""Count the messages of a device for its samples, stored ones or as they arrive."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from netops.config.durations import SECOND
from netops.logs.records import Int8, Int32, Int64

Floats = npt.NDArray[np.float64]
#: The time of what has not happened yet.
NEVER = -(1 << 62)


class Found:
    """The messages that some samples count, each for one of them.

    Attributes
    ----------
    samples : int
        Number of samples.
    rows : int64 array, n
        The sample that counts each message.
    severities : int8 array, n
    templates : int32 array, n
    """

    def __init__(self, samples: int, rows: Int64, severities: Int8, templates: Int32) -> None:
        self.samples, self.rows, self.severities, self.templates = samples, rows, severities, templates

    def count(self, chosen: npt.NDArray[np.bool_]) -> Floats:
        """Count some of the messages for each sample."""
        return np.bincount(self.rows[chosen], minlength=self.samples).astype(np.float64)

    def distinct(self) -> Floats:
        """Count the different templates for each sample."""
        known = self.templates >= 0
        pairs = np.unique(self.rows[known] << 32 | self.templates[known])
        return np.bincount(pairs >> 32, minlength=self.samples).astype(np.float64)


class Counted(Protocol):
    """What is counted."""

    #: Key in a model card.
    entry: ClassVar[str]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""

    @property
    def reach(self) -> int:
        """Nanoseconds: a message counts for the next sample of its device, if that is no later than this."""

    @property
    def delay(self) -> int:
        """Nanoseconds: a message counts as if it came that much later."""

    @property
    def interval(self) -> int:
        """Nanoseconds between two samples of devices without metrics; 0: there are none."""

    def counts(self, found: Found) -> list[Floats]:
        """Return the columns with counts, which come first."""

    def since(self, severities: Int8, templates: Int32) -> list[npt.NDArray[np.bool_]]:
        """Mark the messages since which the time is measured, for each of the other columns."""

    def kinds_of(self, texts: Sequence[str]) -> list[int]:
        """Return the number of the template of each message, or of the kind of each event."""

    def text_of(self, kind: int) -> str:
        """Return a text that has this number."""


class Tally:
    """The messages of one device that no sample has counted yet.

    Samples are taken in the order of their times; messages may come in any order before their sample.

    Parameters
    ----------
    columns : Counted

    Attributes
    ----------
    late : int
        Messages whose time (with the delay) is not after the last sample: they are not counted.
    """

    def __init__(self, columns: Counted) -> None:
        self.late = 0
        self._columns, self._last = columns, NEVER
        self._times = np.zeros(0, np.int64)
        self._severities, self._templates = np.zeros(0, np.int8), np.zeros(0, np.int32)
        self._latest = np.full(len(columns.since(self._severities, self._templates)), NEVER)

    def add(self, times: Int64, severities: Int8, templates: Int32) -> None:
        """Add messages.

        Parameters
        ----------
        times : int64 array, n
            Nanoseconds since the epoch, as in the messages.
        severities : int8 array, n
        templates : int32 array, n
        """
        times = times + self._columns.delay
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
        until = int(np.searchsorted(self._times, samples[-1], side="right"))
        taken = self._times[:until], self._severities[:until], self._templates[:until]
        rows = np.searchsorted(samples, taken[0], side="left")
        is_near = samples[rows] - taken[0] <= self._columns.reach
        found = Found(len(samples), rows[is_near], taken[1][is_near], taken[2][is_near])
        marks = self._columns.since(*taken[1:])
        since = [self._since(number, samples, taken[0][mark]) for number, mark in enumerate(marks)]
        self._times, self._last = self._times[until:], int(samples[-1])
        self._severities, self._templates = self._severities[until:], self._templates[until:]
        return np.column_stack([*self._columns.counts(found), *since])

    def _since(self, number: int, samples: Int64, times: Int64) -> Floats:
        """Return the seconds since the last message of a kind; NaN before the first."""
        known = np.concatenate([self._latest[number : number + 1], times])
        last = known[np.searchsorted(known, samples, side="right") - 1]
        self._latest[number] = known[-1]
        return np.where(last == NEVER, np.nan, (samples - last) / SECOND)
