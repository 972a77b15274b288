"""Telemetry with columns that count log messages."""

import dataclasses
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.errors import NetopsError
from netops.json_types import JsonDict
from netops.logs.messages import Messages
from netops.logs.tally import Counted, Tally
from netops.telemetry.dataset import Dataset, Rows, finish, reopen, rows_of, write_part

#: Entries of ``Meta.details`` that declare the columns.
LOGS, EVENTS = "logs", "events"


class Declared(Counted, Protocol):
    """Columns that are stored with the telemetry."""

    #: The entry of ``Meta.details``.
    entry: ClassVar[str]
    #: Whether samples before the first and after the last message (with its delay) are unknown.
    covers: ClassVar[bool]

    def to_dict(self) -> JsonDict:
        """Return it as JSON-compatible values."""


def add_columns(source: Dataset, out: Path, columns: Declared, messages: Messages) -> Dataset:
    """Write telemetry with the counts of its devices' messages as further metrics.

    Samples before the first and after the last message of all devices are not covered by logs: their counts are
    unknown.

    Parameters
    ----------
    source : Dataset
    out : Path
        Folder to write, which may be that of the source.
    columns : Declared
    messages : Messages
        With the templates that ``columns`` has.

    Raises
    ------
    NetopsError
        If the telemetry has a column of such a name.
    """
    taken = {*source.meta.metrics, *source.meta.attributes} & set(columns.names)
    if taken:
        raise NetopsError(f"{source.path}: has a column '{min(taken)}', which logs would add")
    incidents, verdicts = source.incidents(), source.verdicts()
    out.mkdir(parents=True, exist_ok=True)
    if out.resolve() == source.path.resolve():
        reopen(source)
    for number, table in enumerate(source.tables()):
        write_part(out, number, _with_counts(table, columns, messages))
    metrics = (*source.meta.metrics, *columns.names)
    details = source.meta.details | {columns.entry: columns.to_dict()}
    return finish(out, dataclasses.replace(source.meta, metrics=metrics, details=details), incidents, verdicts)


def _with_counts(table: pa.Table, columns: Declared, messages: Messages) -> pa.Table:
    counts = counts_of(rows_of(table), columns, messages)
    for index, name in enumerate(columns.names):
        table = table.append_column(name, pa.array(counts[:, index].copy()))
    return table


def counts_of(rows: Rows, columns: Declared, messages: Messages) -> npt.NDArray[np.float64]:
    """Count the messages for each sample: rows × columns, NaN where the logs do not cover a sample."""
    counts = np.empty((len(rows.timestamps), len(columns.names)))
    for index, device in enumerate(rows.devices):
        span = slice(rows.offsets[index], rows.offsets[index + 1])
        tally = Tally(columns)
        tally.add(*messages.of(device))
        counts[span] = tally.take(rows.timestamps[span])
    if not columns.covers:
        return counts
    first, last = (time + columns.delay for time in messages.period)
    apart = (rows.timestamps < first - columns.reach) | (rows.timestamps > last + columns.reach)
    counts[apart] = np.nan
    return counts
