"""Merge feedback into a dataset: recorded incidents become incidents of the telemetry, verdicts are added."""

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from netops.errors import NetopsError
from netops.feedback.records import OPERATOR, Feedback, Incident, Verdict
from netops.telemetry.dataset import (
    TIME_TYPE,
    VERDICTS_SCHEMA,
    Dataset,
    Rows,
    finish,
    reopen,
    rows_of,
    write_part,
)
from netops.telemetry.incidents import incidents_of, merge, snap, unseen
from netops.telemetry.schema import DEVICE, END, IS_ERROR, SOURCE, START, TELEMETRY, TIMESTAMP
from netops.telemetry.times.parsing import parse_times
from netops.telemetry.times.unreadable import UnreadableValueError

Int64 = npt.NDArray[np.int64]
Row = dict[str, Any]

SCENARIO, PRECURSOR_START = "scenario", "precursor_start"
_FOREVER = np.iinfo(np.int64).max


def merge_feedback(dataset: Dataset, feedback: Feedback) -> Dataset:
    """Merge feedback into a telemetry dataset, in place.

    Parameters
    ----------
    dataset : Dataset
        Telemetry; its folder is modified.
    feedback : Feedback

    Returns
    -------
    Dataset
        ``is_error`` is true inside recorded incidents too. ``_incidents.parquet`` holds the union, each incident
        with all its sources; ``_verdicts.parquet`` the verdicts on alerts that opened within the telemetry of their
        device. Feedback on other devices or times is ignored and counted in ``details["feedback"]``.

    Raises
    ------
    NetopsError
        If the feedback contains an invalid time.
    """
    return _Merging(dataset, feedback).run()


@dataclass(frozen=True)
class _Recorded:
    """The recorded incidents of one device."""

    starts: Int64
    ends: Int64
    kinds: list[str]
    sources: list[str]

    @classmethod
    def of(cls, incidents: list[Incident]) -> "_Recorded":
        starts = _times([incident.start for incident in incidents])
        ends = [_FOREVER if i.end is None else int(_times([i.end])[0]) for i in incidents]
        names = [i.scenario for i in incidents], [i.source for i in incidents]
        return cls(starts, np.array(ends, np.int64), *names)

    def overlapping(self, start: int, end: int) -> list[int]:
        """List the incidents that overlap a time range, in the order of their starts."""
        found = np.flatnonzero((self.starts < end) & (self.ends > start))
        return [int(index) for index in found[np.argsort(self.starts[found], kind="stable")]]


@dataclass
class _Merging:
    dataset: Dataset
    feedback: Feedback
    counts: Counter[str] = field(default_factory=Counter)

    def run(self) -> Dataset:
        recorded = self._recorded()
        own: dict[str, list[Row]] = {}
        table = _with_source(self.dataset.incidents())
        for row in _rows(table):
            own.setdefault(row[DEVICE], []).append(row)
        verdicts: dict[str, list[Verdict]] = {}
        for verdict in self.feedback.verdicts:
            verdicts.setdefault(verdict.device, []).append(verdict)
        kept: list[Verdict] = []
        reopen(self.dataset)
        for part in self.dataset.parts:
            rows, is_error = _keys(part)
            marked = is_error.copy()
            for index, device in enumerate(rows.devices):
                span = slice(rows.offsets[index], rows.offsets[index + 1])
                if device in recorded:
                    found = self._mark(
                        recorded.pop(device), rows.timestamps[span], marked[span], own.get(device, [])
                    )
                    own[device] = [{DEVICE: device} | row for row in found]
                kept += self._within(verdicts.pop(device, []), rows.timestamps[span])
            if (marked != is_error).any():
                _write(self.dataset.path, part, marked)
        self.counts["incidents of devices without telemetry"] = sum(len(some.starts) for some in recorded.values())
        self.counts["verdicts on devices without telemetry"] = sum(map(len, verdicts.values()))
        return self._finish(table, [row for device in sorted(own) for row in own[device]], kept, sorted(recorded))

    def _recorded(self) -> dict[str, _Recorded]:
        by_device: dict[str, list[Incident]] = {}
        for incident in self.feedback.incidents:
            by_device.setdefault(incident.device, []).append(incident)
        return {device: _Recorded.of(incidents) for device, incidents in by_device.items()}

    def _mark(self, recorded: _Recorded, times: Int64, flags: npt.NDArray[np.bool_], own: list[Row]) -> list[Row]:
        """Mark the recorded incidents of a device in its flags; return all its incidents."""
        within = recorded.overlapping(int(times[0]), int(times[-1]) + 1)
        self.counts["incidents"] += len(within)
        self.counts["incidents outside of the telemetry"] += len(recorded.starts) - len(within)
        if not within:
            return own
        starts, ends = merge(recorded.starts[within], recorded.ends[within])
        flags |= snap(times, starts, ends)
        # An incident between two samples is assigned to the later one: start at the sample before.
        found = [(_before(times, s), s, e) for s, e in zip(*incidents_of(times, flags), strict=True)]
        hidden = unseen(times, flags, starts, ends)
        found += [(s, s, e) for s, e in zip(starts[hidden], ends[hidden], strict=True)]
        joined = [_joined(int(since), int(start), int(end), recorded, own) for since, start, end in found]
        # Incidents without samples that no log reports again are unchanged.
        rest = [row for row in own if not any(row[START] < e and row[END] > s for _, s, e in found)]
        return sorted(joined + rest, key=lambda row: int(row[START]))

    def _within(self, verdicts: list[Verdict], times: Int64) -> list[Verdict]:
        """Select the verdicts on alerts that opened within the telemetry of their device."""
        opened = _times([verdict.opened for verdict in verdicts])
        inside = (opened >= times[0]) & (opened <= times[-1])
        self.counts["verdicts"] += int(inside.sum())
        self.counts["verdicts outside of the telemetry"] += int((~inside).sum())
        return [verdict for verdict, is_in in zip(verdicts, inside, strict=True) if is_in]

    def _finish(self, table: pa.Table, rows: list[Row], kept: list[Verdict], unknown: list[str]) -> Dataset:
        schema = table.schema
        if SCENARIO not in schema.names and any(row.get(SCENARIO) for row in rows):
            schema = schema.append(pa.field(SCENARIO, pa.string()))
        columns = [_column([row.get(item.name) for row in rows], item.type) for item in schema]
        details = {
            "counts": {what: count for what, count in self.counts.items() if count},
            "devices_without_telemetry": unknown[:100],
        }
        meta = dataclasses.replace(
            self.dataset.meta, incidents=len(rows), details=self.dataset.meta.details | {"feedback": details}
        )
        return finish(self.dataset.path, meta, pa.table(columns, schema=schema), _verdict_table(kept))


def _before(times: Int64, start: int) -> int:
    index = int(np.searchsorted(times, start))
    return int(times[index - 1]) if index else start


def _joined(since: int, start: int, end: int, recorded: _Recorded, own: list[Row]) -> Row:
    """Describe an incident by all records that it covers: first those of the telemetry, then those of the logs."""
    covered = sorted((row for row in own if row[START] < end and row[END] > start), key=lambda row: int(row[START]))
    logs = recorded.overlapping(since, end)
    row = dict(covered[0]) if covered else {}
    sources = [name for one in covered for name in str(one[SOURCE]).split(", ")] + [
        recorded.sources[i] for i in logs
    ]
    kinds = [str(one.get(SCENARIO) or "") for one in covered] + [recorded.kinds[i] for i in logs]
    row |= {START: start, END: end, SOURCE: ", ".join(dict.fromkeys(sources))}
    if any(kinds) or SCENARIO in row:
        row[SCENARIO] = next((kind for kind in kinds if kind), "")
    if row.get(PRECURSOR_START) is not None and row[PRECURSOR_START] > start:
        row[PRECURSOR_START] = None
    return row


def _keys(part: Path) -> tuple[Rows, npt.NDArray[np.bool_]]:
    names = set(pq.read_schema(part).names)
    table = pq.read_table(part, columns=[name for name in (TIMESTAMP, DEVICE, IS_ERROR) if name in names])
    if IS_ERROR not in names:
        return rows_of(table), np.zeros(table.num_rows, bool)
    flags = table.column(IS_ERROR).fill_null(False).to_numpy(zero_copy_only=False).astype(bool)
    return rows_of(table), flags


def _write(folder: Path, part: Path, is_error: npt.NDArray[np.bool_]) -> None:
    table, column = pq.read_table(part), pa.array(is_error)
    if IS_ERROR in table.column_names:
        table = table.set_column(table.column_names.index(IS_ERROR), IS_ERROR, column)
    else:
        table = table.append_column(IS_ERROR, column)
    write_part(folder, int(part.stem.removeprefix("part-")), table)


def _with_source(table: pa.Table) -> pa.Table:
    if SOURCE in table.column_names:
        return table
    return table.append_column(SOURCE, pa.array([TELEMETRY] * table.num_rows, pa.string()))


def _rows(table: pa.Table) -> list[Row]:
    """Return the rows with times as nanoseconds."""
    for index, item in enumerate(table.schema):
        if pa.types.is_timestamp(item.type):
            table = table.set_column(index, item.name, table.column(index).cast(TIME_TYPE).cast(pa.int64()))
    rows: list[Row] = table.to_pylist()
    return rows


def _column(values: list[object], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_timestamp(kind):
        return pa.array(values, kind)
    return pa.array(values, pa.int64()).cast(TIME_TYPE).cast(kind)


def _verdict_table(verdicts: list[Verdict]) -> pa.Table:
    columns = []
    for item in VERDICTS_SCHEMA:
        if item.name == SOURCE:
            columns.append(pa.array([OPERATOR] * len(verdicts), pa.string()))
            continue
        values = [getattr(verdict, item.name) for verdict in verdicts]
        if pa.types.is_timestamp(item.type):
            values = [None if value is None else int(_times([value])[0]) for value in values]
        columns.append(_column(values, item.type))
    return pa.table(columns, schema=VERDICTS_SCHEMA)


def _times(texts: list[str]) -> Int64:
    try:
        return parse_times(pa.array(texts, pa.string()))[0] if texts else np.zeros(0, np.int64)
    except UnreadableValueError as error:
        raise NetopsError(f"feedback: {error.value!r} is {error.problem}") from None
