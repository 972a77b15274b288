"""Protocol of a telemetry source: a name, a size and batches in one normal form.

A batch is a table with the columns ``timestamp`` (nanoseconds, UTC), ``device`` (text), optionally ``is_error``
and ``<metric>_is_error`` (bool), and values: numbers as float64 (null or NaN where unknown), text as text. Rows
come in any order. A source that has a ``report`` (``reading.SourceReport``) fills it while it is read.
"""

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa


class Source(Protocol):
    """A telemetry source."""

    name: str
    #: Column → reason why it is not a metric; complete when everything has been read.
    ignored: dict[str, str]

    @property
    def size(self) -> int:
        """Total amount to read, in any unit."""

    @property
    def done(self) -> int:
        """Amount that has been read."""

    @property
    def memory(self) -> int:
        """Estimated memory in bytes."""

    def batches(self) -> Iterator[pa.Table]:
        """Yield the rows in batches.

        Raises
        ------
        NetopsError
            For anything that cannot be read; names the column and the row.
        """
