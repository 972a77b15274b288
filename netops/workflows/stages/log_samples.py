"""Telemetry of devices that have logs and no metrics: samples at equal distances, with recorded incidents."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from netops import progress
from netops.config.durations import SECOND
from netops.errors import NetopsError
from netops.logs.clock import Period
from netops.logs.devices import DeviceNames
from netops.logs.reading import LogReader
from netops.logs.samples import LogSpans
from netops.models.card import ModelCard
from netops.telemetry.dataset import Dataset, finish, part_path, reopen, timestamps_of, write_part
from netops.telemetry.incident_logs.log import IncidentLog
from netops.telemetry.incident_logs.matching import Names
from netops.telemetry.incident_logs.read import read_incidents
from netops.telemetry.ingest import ingest, open_or_ingest
from netops.telemetry.network_schema import NetworkSchema
from netops.telemetry.schema import DEVICE, TIMESTAMP
from netops.telemetry.settings import TelemetrySettings
from netops.workflows.settings import Settings

#: Entry of ``Meta.details``: nanoseconds between samples that were made for logs.
INTERVAL = "log_interval"
_NO_METRICS = NetworkSchema((), (), ())


def ingest_logs(
    settings: Settings, out: Path, scratch: Path, incidents: Path | None = None, interval: int | None = None
) -> Dataset:
    """Make telemetry without metrics, with samples of the devices of logs.

    Parameters
    ----------
    settings : Settings
        ``logs`` and ``telemetry``.
    out : Path
        Folder of the dataset.
    scratch : Path
        Folder for intermediate files; the caller removes it.
    incidents : Path, optional
        The log of incidents.
    interval : int, optional
        Nanoseconds between two samples; default: ``logs.interval``.

    Raises
    ------
    NetopsError
        If the logs or the incidents cannot be read, or no incident overlaps the logs.
    """
    interval = interval or settings.logs.interval
    reader = log_reader(settings, DeviceNames(), _period_of(incidents, settings.telemetry))
    spans = LogSpans.read(reader)
    path = scratch / "log-samples.parquet"
    spans.write(path, interval)
    dataset = ingest([path], out, _own_names(settings.telemetry), incidents, progress.report, _NO_METRICS)
    source = ", ".join(settings.logs.paths)
    meta = dataclasses.replace(
        dataset.meta,
        source=source,
        interval_seconds=interval / SECOND,
        details=dataset.meta.details | {INTERVAL: interval},
    )
    progress.say(f"logs: samples of {len(spans.first):,} devices every {interval / SECOND:g} s, without metrics")
    return finish(out, meta, dataset.incidents(), dataset.verdicts())


def telemetry_for(
    card: ModelCard, sources: Sequence[str], settings: Settings, scratch: Path, incidents: Path | None
) -> Dataset:
    """Open the telemetry that a model scores; without sources, make the samples from logs.

    Parameters
    ----------
    card : ModelCard
    sources : sequence of str
        Files, folders or addresses of telemetry.
    settings : Settings
    scratch : Path
        Folder for intermediate files.
    incidents : Path or None

    Raises
    ------
    NetopsError
        If there are no sources and the model takes metrics, or they cannot be read.
    """
    out, interval = scratch / "telemetry", card.logs.get("interval")
    if sources:
        dataset = open_or_ingest(sources, out, settings.telemetry, incidents, progress.report, card.schema)
        if not (interval and settings.logs.paths):
            return dataset
        return with_log_devices(dataset, settings, scratch / "extended", scratch, incidents)
    if card.schema.metrics:
        raise NetopsError(f"model {card.version} takes metrics; give the telemetry with --telemetry")
    return ingest_logs(settings, out, scratch, incidents, interval)


def with_log_devices(
    dataset: Dataset, settings: Settings, out: Path, scratch: Path, incidents: Path | None = None
) -> Dataset:
    """Add the hosts that have logs and no telemetry as devices whose metrics are unknown.

    Parameters
    ----------
    dataset : Dataset
        Telemetry; the new samples are at its interval, within its time.
    settings : Settings
    out : Path
        Folder to write, which may be that of the telemetry.
    scratch : Path
        Folder for intermediate files.
    incidents : Path, optional
        The log of incidents.
    """
    devices, period = devices_and_period(dataset)
    reader = log_reader(settings, DeviceNames(devices, others=True), period)
    spans = LogSpans.read(reader, devices).within(period.first, period.last)
    progress.say(f"logs: {len(spans.first):,} hosts have logs and no telemetry: samples of their counts alone")
    if not spans.first:
        return dataset
    path, interval = scratch / "log-samples.parquet", round(dataset.meta.interval_seconds * SECOND)
    spans.write(path, interval)
    log = _log_of(spans, incidents, settings.telemetry, period)
    added = ingest([path], scratch / "hosts", _own_names(settings.telemetry), log, progress.report, _NO_METRICS)
    return _joined(dataset, added, out, interval)


def devices_and_period(*datasets: Dataset) -> tuple[dict[str, None], Period]:
    """Return the devices of telemetry and its time range."""
    devices: dict[str, None] = {}
    first, last = [], []
    for dataset in datasets:
        for table in dataset.tables([TIMESTAMP, DEVICE]):
            devices |= dict.fromkeys(pc.unique(table.column(DEVICE).cast(pa.string())).to_pylist())
            times = timestamps_of(table)
            first.append(int(times.min()))
            last.append(int(times.max()))
    return devices, Period(min(first), max(last), "the telemetry")


def _log_of(
    spans: LogSpans, incidents: Path | None, settings: TelemetrySettings, period: Period
) -> IncidentLog | None:
    """Return the incidents of some devices; None if there are none in the time of the telemetry."""
    if incidents is None:
        return None
    log, names = read_incidents(incidents, settings), Names(spans.first)
    inside = (log.starts <= period.last) & (log.ends > period.first)
    found = [names.find(device) if known else None for device, known in zip(log.devices, inside, strict=True)]
    rows = [row for row, device in enumerate(found) if device is not None]
    return log.take(rows, [device for device in found if device is not None]) if rows else None


def _joined(dataset: Dataset, added: Dataset, out: Path, interval: int) -> Dataset:
    """Write a dataset with the devices of another one that has no metrics."""
    incidents, verdicts, parts = dataset.incidents(), dataset.verdicts(), dataset.parts
    out.mkdir(parents=True, exist_ok=True)
    if out.resolve() == dataset.path.resolve():
        reopen(dataset)
    else:
        for number, part in enumerate(parts):
            shutil.copyfile(part, part_path(out, number))
    schema = pq.read_schema(parts[0])
    for number, table in enumerate(added.tables(), len(parts)):
        write_part(out, number, _with_nulls(table, schema))
    meta, more = dataset.meta, added.meta
    sums = {name: getattr(meta, name) + getattr(more, name) for name in ("samples", "devices", "incidents")}
    incidents = pa.concat_tables([incidents, added.incidents()], promote_options="default")
    order = [(DEVICE, "ascending"), ("start", "ascending")]
    return finish(
        out,
        dataclasses.replace(meta, **sums, details=meta.details | {INTERVAL: interval}),
        incidents.sort_by(order),
        verdicts,
    )


def _with_nulls(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with all columns of a schema, null where it has none."""
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def log_reader(settings: Settings, devices: DeviceNames, period: Period | None) -> LogReader:
    """Create the reader of ``logs.paths``."""
    files = [Path(path).expanduser() for path in settings.logs.paths]
    return LogReader(files, settings.logs, devices, settings.telemetry.timezone, period, progress.report)


def _period_of(incidents: Path | None, settings: TelemetrySettings) -> Period | None:
    """Return the time range of the incidents: logs without years are of that time."""
    if incidents is None:
        return None
    starts = read_incidents(incidents, settings).starts
    return Period(int(starts.min()), int(starts.max()), "the incidents") if len(starts) else None


def _own_names(settings: TelemetrySettings) -> TelemetrySettings:
    """Return the settings for samples that were made here; those of incidents are the user's."""
    return TelemetrySettings(timezone=settings.timezone, incidents=settings.incidents)
