"""Inspection of telemetry before a run: how it is read, what it contains, which settings work."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from netops.config.durations import format_duration
from netops.inspection.metrics import MetricFacts, metric_facts
from netops.inspection.plans import Plan, plans
from netops.logs.clock import Period
from netops.logs.settings import LogSettings
from netops.logs.summary import LogSummary, summarise_logs
from netops.progress import Progress, silent
from netops.telemetry.checks.report import CheckReport
from netops.telemetry.checks.run import check_telemetry
from netops.telemetry.dataset import Dataset, Meta
from netops.telemetry.description import decision_lines, left_out_by_reason, reading_lines
from netops.telemetry.ingest import open_or_ingest
from netops.telemetry.schema import DEVICE
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.times.parsing import parse_times
from netops.training.settings import TrainingSettings

#: Maximum number of metrics that are read.
MAX_METRICS = 200
_SHOWN = 12


@dataclass(frozen=True)
class Inspection:
    """The result of an inspection.

    Attributes
    ----------
    dataset : Dataset
        The telemetry, read.
    metrics : list of MetricFacts
    checks : CheckReport
    plans : list of Plan
        Splits and horizons, those that work first; empty if there are no incidents.
    command : str
        The command to run next.
    logs : LogSummary or None
        The logs of the devices, if there are any.
    """

    dataset: Dataset
    metrics: list[MetricFacts]
    checks: CheckReport
    plans: list[Plan]
    command: str
    logs: LogSummary | None = None

    @property
    def meta(self) -> Meta:
        """The description of the dataset."""
        return self.dataset.meta

    def reading(self) -> list[str]:
        """Return the description of what was read and how, as lines."""
        return list(reading_lines(self.meta))

    def lines(self) -> list[str]:
        """Return the inspection as lines of text."""
        lines = [*self.reading(), "", f"metrics ({len(self.meta.metrics)}): minimum, median, maximum"]
        lines += [f"  {_metric(metric)}" for metric in self.metrics[:_SHOWN]]
        if len(self.metrics) > _SHOWN:
            lines.append(f"  … and {len(self.metrics) - _SHOWN} more (--json or --html has all)")
        lines += decision_lines(self.meta)
        lines += ["", f"incidents: {self.meta.incidents}"]
        lines += [plan.line() for plan in self.plans]
        lines += ["", *self.logs.lines()] if self.logs is not None else []
        lines += ["", *(self.checks.lines() or ["checks: nothing found"]), "", "next:", f"  {self.command}"]
        return lines

    def left_out(self) -> dict[str, list[str]]:
        """Return the columns that are not used as metrics, by reason."""
        return left_out_by_reason(self.meta)

    def to_dict(self) -> dict[str, object]:
        """Return the inspection as plain values for JSON."""
        meta = self.meta
        return {
            "source": meta.source,
            "samples": meta.samples,
            "devices": meta.devices,
            "interval_seconds": meta.interval_seconds,
            "first": meta.details.get("first"),
            "last": meta.details.get("last"),
            "reading": meta.details.get("reading"),
            "metrics": [metric.to_dict() for metric in self.metrics],
            "left_out": meta.left_out,
            "incidents": meta.incidents,
            "incident_log": meta.details.get("incident_log"),
            "plans": [plan.to_dict() for plan in self.plans],
            "checks": self.checks.to_dict(),
            "command": self.command,
            "logs": self.logs.to_dict() if self.logs is not None else None,
        }


def inspect_telemetry(
    paths: Sequence[str],
    scratch: Path,
    telemetry: TelemetrySettings,
    training: TrainingSettings,
    incidents: Path | None = None,
    options: Sequence[str] = (),
    progress: Progress = silent,
    logs: Sequence[Path] = (),
    log_settings: LogSettings | None = None,
) -> Inspection:
    """Inspect telemetry as a run would read it.

    Parameters
    ----------
    paths : sequence of str
        Files, folders or addresses of telemetry.
    scratch : Path
        Folder for intermediate files; the caller removes it after writing the inspection.
    telemetry, training : TelemetrySettings, TrainingSettings
    incidents : Path, optional
        A log of incidents.
    options : sequence of str
        Further options for the command to run next, such as ``--set``.
    progress : Progress
    logs : sequence of Path
        Logs of the devices: files and folders.
    log_settings : LogSettings, optional
        How they are read.

    Raises
    ------
    NetopsError
        If the telemetry, or a log, cannot be read.
    """
    dataset = open_or_ingest(paths, scratch / "telemetry", telemetry, incidents, progress, max_metrics=MAX_METRICS)
    horizon = training.horizon_for(dataset.meta.interval_seconds)
    checks = check_telemetry(dataset, telemetry.checks, horizon, progress=progress)
    tried = plans(dataset, horizon, training.seed) if dataset.meta.incidents else []
    command = _command(paths, incidents, tried, horizon, options)
    summary = _logs(dataset, logs, log_settings or LogSettings(), telemetry.timezone, progress) if logs else None
    return Inspection(dataset, metric_facts(dataset), checks, tried, command, summary)


def _logs(
    dataset: Dataset, paths: Sequence[Path], settings: LogSettings, timezone: str, progress: Progress
) -> LogSummary:
    first, last = parse_times(pa.array([dataset.meta.details["first"], dataset.meta.details["last"]]))[0].tolist()
    devices: dict[str, None] = {}
    for table in dataset.tables([DEVICE]):
        devices |= dict.fromkeys(pc.unique(table.column(DEVICE).cast(pa.string())).to_pylist())
    return summarise_logs(paths, settings, [*devices], timezone, Period(first, last, "the telemetry"), progress)


def _command(
    paths: Sequence[str], incidents: Path | None, tried: Sequence[Plan], horizon: int, options: Sequence[str]
) -> str:
    words = ["netops", "run", *(word for path in paths for word in ("--telemetry", path))]
    if incidents is not None:
        words += ["--incidents", str(incidents)]
    best = next((plan for plan in tried if plan.works), None)
    if best is not None:
        words += ["--horizon", format_duration(best.horizon)]
        words += ["--split", best.split] if best.split != "time" else []
        return shlex.join([*words, *options])
    if not tried:
        without = "no incidents are known: a model without labels; --incidents LOG.csv adds their log"
        return f"{shlex.join([*words, *options])}  # {without}"
    return f"{shlex.join([*words, '--test', 'MORE.csv', *options])}  # too few incidents: test on other telemetry"


def _metric(metric: MetricFacts) -> str:
    known = f", known for {metric.known:.0%}" if metric.known < 0.995 else ""
    kind = ", counter" if metric.counter else ""
    return f"{metric.name}: {metric.minimum:.4g}, {metric.median:.4g}, {metric.maximum:.4g}{kind}{known}"
