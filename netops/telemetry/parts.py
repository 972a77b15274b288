"""From the sorted rows of some devices to a file of the dataset, with their incidents."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from netops.telemetry.checks.disguised_labels import LabelScan
from netops.telemetry.columns.counters import rates
from netops.telemetry.columns.decisions import Choice
from netops.telemetry.columns.profile import Float64
from netops.telemetry.columns.survey import numbers
from netops.telemetry.dataset import DEVICE_TYPE, INCIDENTS_SCHEMA, TIME_TYPE, Rows, rows_of
from netops.telemetry.incident_logs.log import IncidentLog
from netops.telemetry.incidents import incidents_of, snap, unseen
from netops.telemetry.schema import DEVICE, IS_ERROR, SOURCE, TELEMETRY, TIMESTAMP
from netops.telemetry.times.reader import Bool, Int64


@dataclass(frozen=True)
class Part:
    """What became of the rows of some devices.

    Attributes
    ----------
    samples : pyarrow.Table or None
        The rows of the dataset; None if no device has a metric.
    incidents : pyarrow.Table
    scan : LabelScan
        Of the metrics that may leak the label.
    empty : list of str
        Devices that were dropped, as they have no metric.
    """

    samples: pa.Table | None
    incidents: pa.Table
    scan: LabelScan
    empty: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """How rows become samples.

    Attributes
    ----------
    choice : Choice
        The roles of the columns.
    flags : tuple of str
        Columns of errors of single metrics.
    doubtful : tuple of str
        Metrics to check for label leakage.
    keeps_empty : bool
        Whether devices without a metric are kept.
    log : IncidentLog or None
        The incidents; None: the runs of ``is_error``.
    """

    choice: Choice
    flags: tuple[str, ...]
    doubtful: tuple[str, ...]
    keeps_empty: bool
    log: IncidentLog | None

    def of(self, devices: Collection[str]) -> "Plan":
        """Return the plan with the incidents of some devices alone."""
        if self.log is None:
            return self
        rows = [row for row, device in enumerate(self.log.devices) if device in devices]
        return replace(self, log=self.log.take(rows, [self.log.devices[row] for row in rows]))

    def apply(self, table: pa.Table) -> Part:
        """Convert the sorted rows of some devices."""
        scan, empty = LabelScan(self.doubtful), list[str]()
        kept = self._with_metrics(table, empty)
        if kept is None:
            return Part(None, _incident_table([], self.log), scan, empty)
        rows = rows_of(kept)
        is_error = self._is_error(kept, rows)
        samples = _samples(kept, rows, self.choice, self.flags, is_error)
        _scan(scan, samples, rows, is_error)
        return Part(samples, self._incidents(rows, is_error), scan, empty)

    def _with_metrics(self, table: pa.Table, empty: list[str]) -> pa.Table | None:
        """Drop devices without any metric; telemetry that is read with a schema keeps them."""
        if self.keeps_empty:
            return table
        rows = rows_of(table)
        known = np.zeros(table.num_rows, bool)
        for name in self.choice.metrics:
            if known.all():
                return table
            known |= np.isfinite(numbers(table, name))
        counts = np.add.reduceat(known, rows.offsets[:-1]) if table.num_rows else np.zeros(0)
        if (counts > 0).all():
            return table
        empty += [device for device, count in zip(rows.devices, counts, strict=True) if not count]
        keep = np.repeat(counts > 0, np.diff(rows.offsets))
        return table.filter(pa.array(keep)) if keep.any() else None

    def _is_error(self, table: pa.Table, rows: Rows) -> Bool:
        if self.log is None:
            if IS_ERROR not in table.column_names:
                return np.zeros(table.num_rows, bool)
            return pc.fill_null(table.column(IS_ERROR), False).to_numpy()
        flags = np.zeros(table.num_rows, bool)
        for index, device in enumerate(rows.devices):
            span = slice(rows.offsets[index], rows.offsets[index + 1])
            flags[span] = snap(rows.timestamps[span], *self.log.of(device))
        return flags

    def _incidents(self, rows: Rows, is_error: Bool) -> pa.Table:
        found: list[tuple[str, int, int, str]] = []
        for index, device in enumerate(rows.devices):
            span = slice(rows.offsets[index], rows.offsets[index + 1])
            times = rows.timestamps[span]
            for start, end in self._spans(device, times, is_error[span]):
                kind = self.log.kind_at(device, _before(times, start), end) if self.log is not None else ""
                found.append((device, start, end, kind))
        return _incident_table(found, self.log)

    def _spans(self, device: str, times: Int64, is_error: Bool) -> list[tuple[int, int]]:
        """List the incidents of a device, including those of a log without samples."""
        found = list(zip(*incidents_of(times, is_error), strict=True))
        if self.log is not None:
            starts, ends = self.log.of(device)
            hidden = unseen(times, is_error, starts, ends)
            found += zip(starts[hidden], ends[hidden], strict=True)
        return found


def _incident_table(found: list[tuple[str, int, int, str]], log: IncidentLog | None) -> pa.Table:
    devices, starts, ends, kinds = (list(column) for column in zip(*found, strict=True)) if found else ([],) * 4
    columns = [
        pa.array(devices, pa.string()),
        *(pa.array(t, pa.int64()).cast(TIME_TYPE) for t in (starts, ends)),
    ]
    table = pa.table(columns, schema=INCIDENTS_SCHEMA)
    table = table.append_column("scenario", pa.array(kinds, pa.string())) if log is not None else table
    source = Path(log.where).name if log is not None else TELEMETRY
    return table.append_column(SOURCE, pa.array([source] * len(devices), pa.string()))


def _samples(table: pa.Table, rows: Rows, choice: Choice, flags: tuple[str, ...], is_error: Bool) -> pa.Table:
    columns: dict[str, pa.ChunkedArray | pa.Array | Float64] = {
        TIMESTAMP: table.column(TIMESTAMP),
        DEVICE: table.column(DEVICE),
    }
    columns |= {name: _attribute(table, name) for name in choice.attributes}
    columns |= {name: _metric(table, rows, name, name in choice.counters) for name in choice.metrics}
    columns |= {name: pc.fill_null(table.column(name), False) for name in flags if name in table.column_names}
    columns |= {name: pa.repeat(False, len(table)) for name in flags if name not in table.column_names}
    return pa.table(columns | {IS_ERROR: pa.array(is_error)})


def _scan(scan: LabelScan, part: pa.Table, rows: Rows, is_error: Bool) -> None:
    metrics = {name: part.column(name).to_numpy() for name in scan.names}
    for start, end in pairwise(rows.offsets):
        seen = {name: values[start:end] for name, values in metrics.items()}
        scan.add(rows.timestamps[start:end], is_error[start:end], seen)


def _metric(table: pa.Table, rows: Rows, name: str, is_counter: bool) -> Float64:
    values = numbers(table, name)
    if np.isinf(values).any():
        values = np.where(np.isinf(values), np.nan, values)
    return rates(rows.offsets, rows.timestamps, values) if is_counter else values


def _attribute(table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names:
        return pa.nulls(table.num_rows, pa.string()).cast(DEVICE_TYPE)
    column = table.column(name).combine_chunks()
    if pa.types.is_floating(column.type):
        column = pa.array([None if value is None else f"{value:g}" for value in column.to_pylist()], pa.string())
    return column.cast(pa.string()).dictionary_encode().cast(DEVICE_TYPE)


def _before(times: Int64, start: int) -> int:
    """Return the time of the sample before an incident: entries of the log since then belong to the incident."""
    index = int(np.searchsorted(times, start))
    return int(times[index - 1]) if index else start
