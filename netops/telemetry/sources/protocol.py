"""What a source of telemetry is to the rest: a name, a size and batches in one normal form.

A batch is a table with the columns ``timestamp`` (nanoseconds, UTC), ``device`` (text), optionally ``is_error``
and ``<metric>_is_error`` (bool), and values: numbers as float64 (null or NaN where unknown), text as text. Rows
come in any order.
"""

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa


class Source(Protocol):
    """Some telemetry, not read yet."""

    name: str
    #: How much there is to read, in any unit, and how much of it has been read.
    size: int
    done: int
    #: About how many bytes it takes in memory.
    memory: int
    #: Column → why it is no metric; complete once everything has been read.
    ignored: dict[str, str]

    def batches(self) -> Iterator[pa.Table]:
        """Read it.

        Raises
        ------
        NetopsError
            For anything that cannot be read; it names the column and the row.
        """
