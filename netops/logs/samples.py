"""Samples of devices that are known from their logs alone: times at equal distances, without metrics."""

from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from netops.logs.reading import LogReader
from netops.logs.records import Int64
from netops.telemetry.dataset import TIME_TYPE
from netops.telemetry.schema import DEVICE, TIMESTAMP


@dataclass
class LogSpans:
    """When devices wrote messages.

    Attributes
    ----------
    first : dict
        Device → the time of its first message, in nanoseconds.
    last : int
        The time of the last message of all devices.
    """

    first: dict[str, int] = field(default_factory=dict)
    last: int = 0

    @classmethod
    def read(cls, reader: LogReader, known: Container[str] = ()) -> "LogSpans":
        """Read the logs of the devices that are not known.

        Raises
        ------
        NetopsError
            If the logs cannot be read.
        """
        found = cls()
        for batch in reader.batches():
            if not len(batch):
                continue
            found.last = max(found.last, int(batch.times.max()))
            order = np.argsort(batch.times, kind="stable")
            devices, rows = np.unique(batch.devices[order], return_index=True)
            for device, time in zip(devices.tolist(), batch.times[order][rows].tolist(), strict=True):
                name = batch.names[device]
                if name not in known:
                    found.first[name] = min(time, found.first.get(name, time))
        return found

    def times(self, device: str, interval: int) -> Int64:
        """Return the multiples of an interval from the first message of a device until the last of all."""
        first, last = (-(-time // interval) for time in (self.first[device], self.last))
        return np.arange(first, last + 1, dtype=np.int64) * interval

    def within(self, first: int, last: int) -> "LogSpans":
        """Return them within a time range in nanoseconds, without the devices whose first message is later."""
        inside = {device: max(time, first) for device, time in self.first.items() if time <= last}
        return LogSpans(inside, min(self.last, last))

    def write(self, path: Path, interval: int) -> None:
        """Write the samples as a Parquet file of time and device, one row group per device.

        Parameters
        ----------
        path : Path
        interval : int
            Nanoseconds. Times are multiples of it, so that a server makes the same ones.
        """
        schema = pa.schema([(TIMESTAMP, TIME_TYPE), (DEVICE, pa.string())])
        with pq.ParquetWriter(path, schema, use_dictionary=[DEVICE]) as writer:
            for device in sorted(self.first):
                times = self.times(device, interval)
                columns = [pa.array(times).cast(TIME_TYPE), pa.array([device] * len(times), pa.string())]
                writer.write_table(pa.table(columns, schema=schema))
