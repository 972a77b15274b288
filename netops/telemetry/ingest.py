"""Ingestion: read telemetry, sort it, determine the roles of its columns and its incidents, write a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from netops.config.durations import SECOND
from netops.errors import NetopsError, brief
from netops.progress import Progress, silent
from netops.telemetry.buckets import Buckets
from netops.telemetry.checks.disguised_labels import LabelScan
from netops.telemetry.checks.report import OFF
from netops.telemetry.columns.counters import rates
from netops.telemetry.columns.decisions import Choice, choose, choose_like
from netops.telemetry.columns.profile import Float64
from netops.telemetry.columns.survey import Columns, Survey, numbers, survey
from netops.telemetry.dataset import (
    DEVICE_TYPE,
    INCIDENTS_SCHEMA,
    TIME_TYPE,
    Dataset,
    Meta,
    Rows,
    finish,
    rows_of,
    write_part,
)
from netops.telemetry.drafts import draft_folder
from netops.telemetry.incident_logs.log import IncidentLog
from netops.telemetry.incident_logs.matching import LogSummary, match
from netops.telemetry.incident_logs.read import read_incidents
from netops.telemetry.incidents import incidents_of, snap, unseen
from netops.telemetry.network_schema import NetworkSchema
from netops.telemetry.reading import Dropped, ReadingReport
from netops.telemetry.schema import DEVICE, IS_ERROR, SOURCE, TELEMETRY, TIMESTAMP, error_column
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.files import file_sources
from netops.telemetry.sources.protocol import Source
from netops.telemetry.sources.registry import open_sources
from netops.telemetry.times.instants import iso
from netops.telemetry.times.reader import Bool, Int64

_READING, _WRITING = "telemetry read", "telemetry written"


def open_or_ingest(
    paths: Sequence[Path | str],
    out: Path,
    settings: TelemetrySettings,
    incidents: Path | None = None,
    progress: Progress = silent,
    like: NetworkSchema | None = None,
    max_metrics: int | None = None,
) -> Dataset:
    """Open an existing dataset if it has the right form; ingest anything else (see :func:`ingest`)."""
    if len(paths) == 1 and incidents is None and (Path(paths[0]) / "_meta.json").is_file():
        dataset = Dataset.open(Path(paths[0]))
        _refuse_features(dataset)
        if like is None or like.fits(dataset.meta):
            return dataset
    return ingest(paths, out, settings, incidents, progress, like, max_metrics)


def ingest(
    paths: Sequence[Path | str],
    out: Path,
    settings: TelemetrySettings,
    incidents: Path | IncidentLog | None = None,
    progress: Progress = silent,
    like: NetworkSchema | None = None,
    max_metrics: int | None = None,
) -> Dataset:
    """Convert telemetry into a dataset.

    Parameters
    ----------
    paths : sequence of Path or str
        CSV and Parquet files, folders of them, or addresses of other sources.
    out : Path
        Folder of the dataset; it is written atomically and replaces an existing dataset.
    settings : TelemetrySettings
        Names and selection of the columns.
    incidents : Path or IncidentLog, optional
        The incidents, or their file; by default, the runs of ``is_error``.
    progress : Progress
    like : NetworkSchema, optional
        Schema of earlier telemetry of the same network: used unchanged.
    max_metrics : int, optional
        Maximum number of columns to read per file, for a preview.

    Returns
    -------
    Dataset

    Raises
    ------
    NetopsError
        For unusable input; the message names file, column and row.
    """
    for path in paths:
        if (Path(path) / "_meta.json").is_file():
            _refuse_features(Dataset.open(Path(path)))
    report = ReadingReport()
    sources = open_sources(paths, settings, report.passed_over)
    for source in sources:
        if max_metrics is not None and hasattr(source, "limit"):
            source.limit(max_metrics)
    log = read_incidents(incidents, settings) if isinstance(incidents, Path) else incidents
    where = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    with draft_folder(out) as draft:
        _Ingestion(draft, sources, settings, log, progress, where, like, report).run()
    return Dataset.open(out)


def refuse_unreadable(paths: Sequence[Path | str], settings: TelemetrySettings) -> None:
    """Raise if the columns of a file are not those of telemetry; only the first rows are read.

    Raises
    ------
    NetopsError
        As :func:`ingest`.
    """
    rest = [path for path in paths if not (Path(path) / "_meta.json").is_file()]
    if rest:
        for source in file_sources([Path(path) for path in rest], settings, {}):
            source.look()


def _refuse_features(dataset: Dataset) -> None:
    if dataset.meta.features is not None:
        raise NetopsError(
            f"{dataset.path}: contains feature vectors; pass the telemetry from which they were computed"
        )


@dataclass
class _Ingestion:
    """One ingestion, step by step."""

    draft: Path
    sources: list[Source]
    settings: TelemetrySettings
    log: IncidentLog | None
    progress: Progress
    where: str
    like: NetworkSchema | None
    report: ReadingReport
    empty: list[str] = field(default_factory=list)

    def run(self) -> Dataset:
        buckets = Buckets(self.draft, sum(source.memory for source in self.sources))
        columns = self._deal(buckets)
        found = survey(buckets, columns)
        self._set_aside(found)
        summary = None
        if self.log is not None:
            self.log, summary = match(self.log, found.spans)
        choice = self._choose(columns, found)
        incidents, disguised = self._write(buckets, columns, found, choice)
        choice = choice.without(disguised, self.where)
        self._count_empty(found, choice)
        return finish(self.draft, self._meta(found, choice, incidents, summary), incidents)

    def _deal(self, buckets: Buckets) -> Columns:
        columns, before, total = Columns(), 0, sum(source.size for source in self.sources)
        for source in self.sources:
            for batch in source.batches():
                buckets.add(columns.admit(batch, source.name))
                self.progress(before + source.done, total, _READING)
            before += source.size
            self.progress(before, total, _READING)
            columns.ignored |= source.ignored
            if (report := getattr(source, "report", None)) is not None:
                self.report.sources.append(report)
        if not columns.kinds:
            raise NetopsError(f"{self.where}: no samples remain")
        return columns

    def _set_aside(self, found: Survey) -> None:
        """Raise if too many rows conflict; count rows that were dropped or combined."""
        repeats = found.repeats
        devices = next((source.device for source in self.report.sources if source.device), None)
        metric_name = next((source.metric_name for source in self.report.sources if source.metric_name), "")
        repeats.refuse_conflicts(found.samples, self.settings.max_conflicts, devices, self.where, metric_name)
        for why, count, example in (
            ("rows set aside, the same as another one", repeats.same, ""),
            (
                "rows combined with another one of their device and time that has other metrics",
                repeats.merged,
                "",
            ),
            (
                "rows set aside, other values of a device and time that had some",
                repeats.conflicting,
                repeats.example,
            ),
        ):
            if count:
                self.report.dropped[why] = Dropped(count, example)

    def _choose(self, columns: Columns, found: Survey) -> Choice:
        ignored = {name: why for name, why in columns.ignored.items() if name not in found.profiles}
        if self.like is not None:
            return choose_like(self.like, found.profiles, found.texts, ignored, self.where)
        return choose(found.profiles, found.texts, len(found.spans), self.settings, ignored, self.where)

    def _write(
        self, buckets: Buckets, columns: Columns, found: Survey, choice: Choice
    ) -> tuple[pa.Table, dict[str, str]]:
        """Write the samples; return the incidents and the metrics that leak the label."""
        flags = [error_column(m) for m in choice.metrics if error_column(m) in columns.of_kind(pa.types.is_boolean)]
        incidents, number, scan = [], 0, LabelScan(self._doubtful(choice))
        for bucket in range(buckets.count):
            table = buckets.take(bucket)
            if table is None:
                continue
            table = self._with_metrics(table, choice)
            if table is None:
                continue
            rows = rows_of(table)
            is_error = self._is_error(table, rows)
            part = _part(table, rows, choice, flags, is_error)
            write_part(self.draft, number, part)
            _scan(scan, part, rows, is_error)
            incidents.append(self._incidents(rows, is_error))
            number += 1
            self.progress(bucket + 1, buckets.count, _WRITING)
        table = pa.concat_tables(incidents).sort_by([(DEVICE, "ascending"), ("start", "ascending")])
        return table, scan.findings()

    def _doubtful(self, choice: Choice) -> list[str]:
        """List the metrics to check for label leakage: not those that are configured or in the schema."""
        if self.like is not None or self.settings.checks.leakage == OFF:
            return []
        return [name for name in choice.metrics if name not in self.settings.metrics]

    def _with_metrics(self, table: pa.Table, choice: Choice) -> pa.Table | None:
        """Drop devices without any metric; telemetry that is read with a schema keeps them."""
        if self.like is not None:
            return table
        rows = rows_of(table)
        known = np.zeros(table.num_rows, bool)
        for name in choice.metrics:
            if known.all():
                return table
            known |= np.isfinite(numbers(table, name))
        counts = np.add.reduceat(known, rows.offsets[:-1]) if table.num_rows else np.zeros(0)
        if (counts > 0).all():
            return table
        self.empty += [device for device, count in zip(rows.devices, counts, strict=True) if not count]
        keep = np.repeat(counts > 0, np.diff(rows.offsets))
        return table.filter(pa.array(keep)) if keep.any() else None

    def _count_empty(self, found: Survey, choice: Choice) -> None:
        """Remove devices without a metric from the counts, and report them."""
        if not self.empty:
            return
        columns = [name for name, why in choice.left_out.items() if why.endswith("devices only")]
        rows = sum(found.lengths[device] for device in self.empty)
        why = (
            f"devices set aside with their {rows:,} samples, of {len(found.spans):,}, as they have none of the "
            f"metrics (--set telemetry.min_device_share=0 keeps {brief(columns, 4) or 'metrics of few devices'})"
        )
        self.report.dropped[why] = Dropped(len(self.empty), brief(self.empty, 4))
        for device in self.empty:
            del found.spans[device]
            found.samples -= found.lengths[device]

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
        devices, starts, ends, kinds = [], [], [], []
        for index, device in enumerate(rows.devices):
            span = slice(rows.offsets[index], rows.offsets[index + 1])
            times = rows.timestamps[span]
            for start, end in self._spans(device, times, is_error[span]):
                devices.append(device)
                starts.append(start)
                ends.append(end)
                kinds.append(self.log.kind_at(device, _before(times, start), end) if self.log else "")
        columns = [
            pa.array(devices, pa.string()),
            *(pa.array(t, pa.int64()).cast(TIME_TYPE) for t in (starts, ends)),
        ]
        table = pa.table(columns, schema=INCIDENTS_SCHEMA)
        source = pa.array([self._source] * len(devices), pa.string())
        table = table.append_column("scenario", pa.array(kinds, pa.string())) if self.log else table
        return table.append_column(SOURCE, source)

    def _spans(self, device: str, times: Int64, is_error: Bool) -> list[tuple[int, int]]:
        """List the incidents of a device, including those of a log without samples."""
        found = list(zip(*incidents_of(times, is_error), strict=True))
        if self.log is not None:
            starts, ends = self.log.of(device)
            hidden = unseen(times, is_error, starts, ends)
            found += zip(starts[hidden], ends[hidden], strict=True)
        return found

    @property
    def _source(self) -> str:
        return Path(self.log.where).name if self.log else TELEMETRY

    def _meta(self, found: Survey, choice: Choice, incidents: pa.Table, log: LogSummary | None) -> Meta:
        left_out = dict(choice.left_out)
        first, last = zip(*found.spans.values(), strict=True)
        report = self.report
        report.devices, report.samples, report.left_out = len(found.spans), found.samples, left_out
        report.metrics, report.attributes = list(choice.metrics), list(choice.attributes)
        report.counters, report.interval_seconds = list(choice.counters), found.interval / SECOND
        report.first, report.last = iso(min(first)), iso(max(last))
        details = {
            "counters": list(choice.counters),
            "duplicates": found.repeats.same + found.repeats.conflicting,
            "merged": found.repeats.merged,
            "devices_without_metrics": len(self.empty),
            "out_of_order": found.displaced,
            "infinite": {name: seen.infinite for name, seen in found.profiles.items() if seen.infinite},
            "labelled_by": self.log.where if self.log else IS_ERROR,
            "first": iso(min(first)),
            "last": iso(max(last)),
            "reading": report.to_dict(),
        }
        if log is not None:
            details["incident_log"] = log.to_dict()
        return Meta(
            choice.metrics,
            choice.attributes,
            found.samples,
            len(found.spans),
            incidents.num_rows,
            found.interval / SECOND,
            self.where,
            left_out,
            details=details,
        )


def _part(table: pa.Table, rows: Rows, choice: Choice, flags: list[str], is_error: Bool) -> pa.Table:
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
