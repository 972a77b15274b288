"""Messages without their text: device, time, severity and template, in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from netops.logs.reading import LogReader
from netops.logs.records import Int8, Int32, Int64, LogBatch

#: Gives the templates of the messages of a batch.
TemplatesOf = Callable[[LogBatch], Int32]


@dataclass(frozen=True)
class Messages:
    """Messages of devices, sorted by device and time: 17 bytes each.

    Attributes
    ----------
    names : list of str
    devices : int32 array
        Index in ``names``.
    times : int64 array
    severities : int8 array
    templates : int32 array
    """

    names: list[str]
    devices: Int32
    times: Int64
    severities: Int8
    templates: Int32
    _index: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._index.update({name: number for number, name in enumerate(self.names)})

    def __len__(self) -> int:
        return len(self.times)

    def of(self, device: str) -> tuple[Int64, Int8, Int32]:
        """Return times, severities and templates of the messages of a device."""
        number = self._index.get(device, -1)
        first, last = np.searchsorted(self.devices, [number, number + 1]) if number >= 0 else (0, 0)
        return self.times[first:last], self.severities[first:last], self.templates[first:last]

    def later(self, delay: int) -> "Messages":
        """Return them with later times, by a number of nanoseconds."""
        return replace(self, times=self.times + delay)

    @property
    def period(self) -> tuple[int, int]:
        """The first and the last time."""
        return int(self.times.min()), int(self.times.max())


def read_messages(reader: LogReader, templates_of: TemplatesOf) -> Messages:
    """Read all messages and keep their numbers.

    Parameters
    ----------
    reader : LogReader
    templates_of : callable

    Raises
    ------
    NetopsError
        If the logs cannot be read.
    """
    devices, times, severities, templates = [], [], [], []
    for batch in reader.batches():
        devices.append(batch.devices)
        times.append(batch.times)
        severities.append(batch.severities)
        templates.append(templates_of(batch))
    found = [np.concatenate(column) for column in (devices, times, severities, templates)]
    order = np.lexsort((found[1], found[0]))
    return Messages(reader.devices.names, *(column[order] for column in found))
