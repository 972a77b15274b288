"""Ingestion: read telemetry, sort it, determine the roles of its columns and its incidents, write a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from netops.compute.cluster import Cluster
from netops.config.durations import SECOND
from netops.errors import NetopsError, brief
from netops.progress import Progress, silent
from netops.telemetry.checks.disguised_labels import LabelScan
from netops.telemetry.checks.report import OFF
from netops.telemetry.columns.decisions import Choice, choose, choose_like
from netops.telemetry.columns.survey import Columns, Survey
from netops.telemetry.dataset import Dataset, Meta, finish
from netops.telemetry.drafts import draft_folder
from netops.telemetry.incident_logs.log import IncidentLog
from netops.telemetry.incident_logs.matching import LogSummary, match
from netops.telemetry.incident_logs.read import read_incidents
from netops.telemetry.network_schema import NetworkSchema
from netops.telemetry.parts import Plan
from netops.telemetry.reading import Dropped, ReadingReport
from netops.telemetry.remote_ingest import OnCluster
from netops.telemetry.schema import DEVICE, IS_ERROR, error_column
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.files import file_sources
from netops.telemetry.sources.registry import open_sources
from netops.telemetry.steps import Here
from netops.telemetry.times.instants import iso


def open_or_ingest(
    paths: Sequence[Path | str],
    out: Path,
    settings: TelemetrySettings,
    incidents: Path | None = None,
    progress: Progress = silent,
    like: NetworkSchema | None = None,
    max_metrics: int | None = None,
    cluster: Cluster | None = None,
) -> Dataset:
    """Open an existing dataset if it has the right form; ingest anything else (see :func:`ingest`)."""
    if len(paths) == 1 and incidents is None and (Path(paths[0]) / "_meta.json").is_file():
        dataset = Dataset.open(Path(paths[0]))
        _refuse_features(dataset)
        if like is None or like.fits(dataset.meta):
            return dataset
    return ingest(paths, out, settings, incidents, progress, like, max_metrics, cluster)


def ingest(
    paths: Sequence[Path | str],
    out: Path,
    settings: TelemetrySettings,
    incidents: Path | IncidentLog | None = None,
    progress: Progress = silent,
    like: NetworkSchema | None = None,
    max_metrics: int | None = None,
    cluster: Cluster | None = None,
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
    cluster : Cluster, optional
        Whose workers read the files and write the samples; they must have access to all of them. Addresses are
        read by this process.

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
    if cluster is not None:  # its workers have working directories of their own
        paths = [Path(path).absolute() if Path(path).exists() else path for path in paths]
    report = ReadingReport()
    sources = open_sources(paths, settings, report.passed_over, cluster)
    for source in sources:
        if max_metrics is not None and hasattr(source, "limit"):
            source.limit(max_metrics)
    log = read_incidents(incidents, settings) if isinstance(incidents, Path) else incidents
    where = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    with draft_folder(out) as draft:
        steps = Here(draft, sources, progress) if cluster is None else OnCluster(cluster, draft, sources, progress)
        _Ingestion(steps, settings, log, where, like, report).run()
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
        for source in file_sources([Path(path) for path in rest], settings, {}, holds=False):
            source.look()


def _refuse_features(dataset: Dataset) -> None:
    if dataset.meta.features is not None:
        raise NetopsError(
            f"{dataset.path}: contains feature vectors; pass the telemetry from which they were computed"
        )


@dataclass
class _Ingestion:
    """One ingestion, step by step."""

    steps: "Here | OnCluster"
    settings: TelemetrySettings
    log: IncidentLog | None
    where: str
    like: NetworkSchema | None
    report: ReadingReport
    empty: list[str] = field(default_factory=list)

    def run(self) -> Dataset:
        columns = self.steps.read(self.report)
        if not columns.kinds:
            raise NetopsError(f"{self.where}: no samples remain")
        found = self.steps.survey(columns)
        self._set_aside(found)
        summary = None
        if self.log is not None:
            self.log, summary = match(self.log, found.spans)
        choice = self._choose(columns, found)
        incidents, disguised = self._write(columns, choice)
        choice = choice.without(disguised, self.where)
        self._count_empty(found, choice)
        return finish(self.steps.draft, self._meta(found, choice, incidents, summary), incidents)

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

    def _write(self, columns: Columns, choice: Choice) -> tuple[pa.Table, dict[str, str]]:
        """Write the samples; return the incidents and the metrics that leak the label."""
        flags = [error_column(m) for m in choice.metrics if error_column(m) in columns.of_kind(pa.types.is_boolean)]
        doubtful = self._doubtful(choice)
        # Telemetry that is read with a schema keeps devices without a metric.
        plan = Plan(choice, tuple(flags), doubtful, self.like is not None, self.log)
        incidents, scan = [], LabelScan(doubtful)
        for part in self.steps.write(plan):
            incidents.append(part.incidents)
            scan += part.scan
            self.empty += part.empty
        table = pa.concat_tables(incidents).sort_by([(DEVICE, "ascending"), ("start", "ascending")])
        return table, scan.findings()

    def _doubtful(self, choice: Choice) -> tuple[str, ...]:
        """List the metrics to check for label leakage: not those that are configured or in the schema."""
        if self.like is not None or self.settings.checks.leakage == OFF:
            return ()
        return tuple(name for name in choice.metrics if name not in self.settings.metrics)

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
