"""Count the messages of logs for the samples of telemetry, before features are built."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from netops import progress
from netops.config.durations import SECOND
from netops.errors import NetopsError
from netops.logs.clock import Period
from netops.logs.columns import LogColumns
from netops.logs.dataset import add_columns
from netops.logs.devices import DeviceNames
from netops.logs.messages import read_messages
from netops.logs.reading import LogReader
from netops.logs.selection import Device, in_training, select
from netops.logs.templates.miner import Templates
from netops.telemetry.dataset import TEST, Dataset, timestamps_of
from netops.telemetry.schema import DEVICE, TIMESTAMP
from netops.training.labelled import Labelled, label
from netops.training.splits import TRAIN
from netops.workflows.settings import Settings

#: Sampling intervals after which a message is not counted for the next sample any more.
_REACH = 10


def with_logs(dataset: Dataset, settings: Settings, out: Path | None = None) -> Dataset:
    """Learn templates on the training split and add the counts of messages as metrics.

    Parameters
    ----------
    dataset : Dataset
        Telemetry; its test telemetry is extended as well.
    settings : Settings
        ``logs.paths`` has the logs; without any, the telemetry is returned as it is.
    out : Path, optional
        Folder to write; default: that of the telemetry.

    Raises
    ------
    NetopsError
        If the logs cannot be read, or there is no training split.
    """
    if not settings.logs.paths:
        return dataset
    horizon = settings.training.horizon_for(dataset.meta.interval_seconds)
    training = _training(dataset, settings, horizon)
    templates = Templates(settings.logs.templates)
    for batch in _reader(dataset, settings).batches():
        known = in_training(training, batch.names, batch.devices, batch.times)
        templates.learn(batch.messages[row] for row in np.flatnonzero(known).tolist())
    reader = _reader(dataset, settings)
    messages = read_messages(reader, lambda batch: templates.find(batch.messages))
    selected = select(messages, training, horizon, len(templates), settings.logs.max_columns)
    columns = LogColumns(templates, selected, _REACH * round(dataset.meta.interval_seconds * SECOND))
    _say(reader, templates, columns)
    folder = out or dataset.path
    if dataset.test is not None:
        add_columns(dataset.test, folder / TEST, columns, messages)
    return add_columns(dataset, folder, columns, messages)


def with_logs_of(dataset: Dataset, declared: Mapping[str, Any], settings: Settings, out: Path) -> Dataset:
    """Add the counts of messages that a model was trained with.

    Parameters
    ----------
    dataset : Dataset
        Telemetry.
    declared : mapping
        ``ModelCard.logs``; empty: the telemetry is returned as it is.
    settings : Settings
        ``logs.paths`` has the logs.
    out : Path
        Folder to write.

    Raises
    ------
    NetopsError
        If there are no logs, or they cannot be read.
    """
    if not declared or set(declared["columns"]) <= set(dataset.meta.metrics):
        return dataset
    if not settings.logs.paths:
        raise NetopsError("the model counts log messages; give the logs of this telemetry with --logs")
    columns = LogColumns.from_dict(declared)
    reader = _reader(dataset, settings)
    messages = read_messages(reader, lambda batch: columns.templates.find(batch.messages))
    for line in reader.report.lines(reader.devices):
        progress.say(line)
    return add_columns(dataset, out, columns, messages)


def _reader(dataset: Dataset, settings: Settings) -> LogReader:
    devices: dict[str, None] = {}
    first, last = [], []
    for part in (dataset, dataset.test) if dataset.test is not None else (dataset,):
        for table in part.tables([TIMESTAMP, DEVICE]):
            devices |= dict.fromkeys(pc.unique(table.column(DEVICE).cast(pa.string())).to_pylist())
            times = timestamps_of(table)
            first.append(int(times.min()))
            last.append(int(times.max()))
    period = Period(min(first), max(last), "the telemetry")
    paths = [Path(path).expanduser() for path in settings.logs.paths]
    zone = settings.telemetry.timezone
    return LogReader(paths, settings.logs, DeviceNames(devices), zone, period, progress.report)


def _training(dataset: Dataset, settings: Settings, horizon: int) -> dict[str, Device]:
    """Return the devices of the training split, with their time and incidents in it."""
    options = settings.training
    found = label(dataset, horizon, options.split, options.seed, options.cross_fit_below)[0]
    rows = found.split.rows(TRAIN)
    training = {}
    for number, name in enumerate(found.sequences.devices):
        span = slice(found.sequences.offsets[number], found.sequences.offsets[number + 1])
        times = found.sequences.timestamps[span][rows[span]]
        if len(times):
            training[name] = _device(found, number, int(times[0]), int(times[-1]))
    return training


def _device(found: Labelled, number: int, first: int, last: int) -> Device:
    span = slice(found.incidents.offsets[number], found.incidents.offsets[number + 1])
    starts, ends = found.incidents.start[span], found.incidents.end[span]
    inside = (starts >= first) & (starts <= last)
    return Device(first, last, starts[inside], ends[inside])


def _say(reader: LogReader, templates: Templates, columns: LogColumns) -> None:
    for line in reader.report.lines(reader.devices):
        progress.say(line)
    progress.say(
        f"logs: {len(templates):,} templates learned on the training split, {len(columns.selected)} of them counted"
    )
    for name, text in columns.texts().items():
        progress.say(f"logs: {name}: {text}")
