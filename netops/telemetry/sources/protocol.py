"""What a source of telemetry is to the rest: a name, a size and batches in one normal form.

A batch is a table with the columns ``timestamp`` (nanoseconds, UTC), ``device`` (text), optionally ``is_error``
and ``<metric>_is_error`` (bool), and values: numbers as float64 (null or NaN where unknown), text as text. Rows
come in any order. A source that has a ``report`` (``reading.SourceReport``) fills it while it is read.
"""

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa


class Source(Protocol):
    """Some telemetry, not read yet."""

    name: str
    #: Column → why it is no metric; complete once everything has been read.
    ignored: dict[str, str]

    @property
    def size(self) -> int:
        """How much there is to read, in any unit."""

    @property
    def done(self) -> int:
        """How much of it has been read."""

    @property
    def memory(self) -> int:
        """About how many bytes it takes in memory."""

    def batches(self) -> Iterator[pa.Table]:
        """Read it.

        Raises
        ------
        NetopsError
            For anything that cannot be read; it names the column and the row.
        """
