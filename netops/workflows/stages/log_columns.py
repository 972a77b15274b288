"""Count the messages of logs for the samples of telemetry, before features are built."""

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from netops import progress
from netops.config.durations import SECOND
from netops.errors import FewLabelsError, NetopsError, brief
from netops.logs.columns import LogColumns
from netops.logs.dataset import Declared, add_columns
from netops.logs.devices import DeviceNames
from netops.logs.events import EventColumns
from netops.logs.formats.registry import EVENTS
from netops.logs.messages import Messages, read_messages
from netops.logs.reading import LogReader
from netops.logs.selection import Device, in_training, select, select_without_incidents
from netops.logs.settings import LogSettings
from netops.logs.templates.miner import Templates
from netops.models.card import ModelCard
from netops.simulator.logs import write_logs
from netops.simulator.network import make_network
from netops.telemetry.dataset import TEST, Dataset
from netops.training.labelled import Labelled, label, without_labels
from netops.training.splits import TRAIN
from netops.workflows.settings import Settings
from netops.workflows.stages.carried_columns import Champion, carried_columns, no_champion
from netops.workflows.stages.log_samples import INTERVAL, devices_and_period

#: Sampling intervals after which a message is not counted for the next sample any more.
_REACH = 10


def with_logs(
    dataset: Dataset, settings: Settings, out: Path | None = None, champion: Champion = no_champion
) -> Dataset:
    """Add the counts of log messages and events as metrics.

    Parameters
    ----------
    dataset : Dataset
        Telemetry; its test telemetry is extended as well.
    settings : Settings
        ``logs.paths`` and ``logs.events``; without any, the telemetry is returned as it is.
    out : Path, optional
        Folder to write; default: that of the telemetry.
    champion : callable
        Finds the card of the champion. What it counts is counted as well, so that it can be compared.

    Raises
    ------
    NetopsError
        If the logs cannot be read, or there is no training split.
    """
    if not (settings.logs.paths or settings.logs.events):
        return dataset
    horizon = settings.training.horizon_for(dataset.meta.interval_seconds)
    found = _labelled(dataset, settings, horizon)
    training = _training(found)
    reach = _REACH * round(dataset.meta.interval_seconds * SECOND)
    if settings.logs.paths:
        dataset = _with_messages(
            dataset, settings, out or dataset.path, training, _selection(found), horizon, reach, champion()
        )
    if settings.logs.events:
        dataset = _with_events(dataset, settings, out or dataset.path, training, reach)
    return dataset


def with_generated_logs(
    dataset: Dataset, settings: Settings, start: int, origin: int, champion: Champion = no_champion
) -> Dataset:
    """Generate the logs of a generated network, if they are enabled, and add the counts of all logs.

    Parameters
    ----------
    dataset : Dataset
        Its telemetry.
    settings : Settings
    start, origin : int
        Those of the network, in nanoseconds.
    champion : callable
        As in :func:`with_logs`.
    """
    if not settings.generated_logs.enabled:
        return with_logs(dataset, settings, champion=champion)
    fleet = settings.fleet
    network = make_network(
        settings.metrics,
        devices=fleet.devices,
        duration=fleet.duration,
        interval=fleet.interval,
        start=start,
        seed=fleet.seed,
        origin=origin,
        silent=settings.generated_logs.silent_if_enabled,
    )
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        path = Path(scratch) / "generated.log"
        write_logs(network, dataset, settings.generated_logs, path)
        options = dataclasses.replace(settings.logs, paths=(*settings.logs.paths, str(path)))
        return with_logs(dataset, dataclasses.replace(settings, logs=options), champion=champion)


def _with_messages(
    dataset: Dataset,
    settings: Settings,
    out: Path,
    training: Mapping[str, Device],
    selection: Callable[..., tuple[int, ...]],
    horizon: int,
    reach: int,
    champion: ModelCard | None,
) -> Dataset:
    templates, options = _learned(dataset, settings, training), settings.logs
    learned = len(templates)
    carried = carried_columns(templates, champion, options)
    reader = _logs(dataset, settings)
    messages = _messages(reader, templates)
    found = messages.later(options.delay or 0), training, horizon, len(templates)
    selected = selection(*found, options.max_columns)
    # Without incidents, there are no precursors.
    precursors = select(*found, options.max_precursors) if selection is select else ()
    columns = LogColumns.combine(
        templates,
        selected,
        carried,
        reach,
        delay=options.delay or 0,
        rare=options.rare,
        interval=int(dataset.meta.details.get(INTERVAL, 0)),
        precursors=precursors,
    )
    _say_read(reader)
    progress.say(f"logs: {learned:,} templates learned on the training split, {len(selected)} of them counted")
    _say_columns(columns)
    return _added(dataset, out, columns, messages)


def _learned(dataset: Dataset, settings: Settings, training: Mapping[str, Device]) -> Templates:
    """Learn the templates of the messages of the training split."""
    templates = Templates(settings.logs.templates)
    for batch in _logs(dataset, settings).batches():
        known = in_training(training, batch.names, batch.devices, batch.times)
        templates.learn(batch.messages[row] for row in np.flatnonzero(known).tolist())
    return templates


def _say_columns(columns: LogColumns) -> None:
    for name, text in columns.texts().items():
        what = " (for the champion)" if name in columns.carried else ""
        progress.say(f"logs: {name}: {text}{what}")
    for name, numbers in columns.groups.items():
        what = "for the champion" if name in columns.carried else "those that precede incidents"
        progress.say(f"logs: {name}: {len(numbers)} templates together, {what}")


def _with_events(
    dataset: Dataset, settings: Settings, out: Path, training: Mapping[str, Device], reach: int
) -> Dataset:
    kinds: list[str] = []
    for batch in _events(dataset, settings).batches():
        known = in_training(training, batch.names, batch.devices, batch.times)
        kinds += [batch.messages[row] for row in np.flatnonzero(known).tolist()]
    columns = EventColumns.frequent(kinds, settings.logs.max_kinds, reach)
    reader = _events(dataset, settings)
    messages = read_messages(reader, lambda batch: columns.find(batch.messages))
    _say_read(reader)
    progress.say(f"events: {len(columns.kinds):,} kinds counted: {brief(columns.kinds)}")
    return _added(dataset, out, columns, messages)


def _added(dataset: Dataset, out: Path, columns: Declared, messages: Messages) -> Dataset:
    if dataset.test is not None:
        add_columns(dataset.test, out / TEST, columns, messages)
    return add_columns(dataset, out, columns, messages)


def with_logs_of(dataset: Dataset, card: ModelCard, settings: Settings, out: Path) -> Dataset:
    """Add the counts of messages and events that a model was trained with.

    Parameters
    ----------
    dataset : Dataset
        Telemetry.
    card : ModelCard
        Declares what is counted; if nothing is, the telemetry is returned as it is.
    settings : Settings
        ``logs.paths`` and ``logs.events``.
    out : Path
        Folder to write.

    Raises
    ------
    NetopsError
        If there are no logs, they cannot be read, or the telemetry has the counts of another model.
    """
    if _lacks(dataset, card.logs, LogColumns.entry):
        if not settings.logs.paths:
            raise NetopsError("the model counts log messages; give the logs of this telemetry with --logs")
        columns = LogColumns.from_dict(card.logs)
        reader = _logs(dataset, settings)
        messages = _messages(reader, columns.templates)
        _say_read(reader)
        dataset = add_columns(dataset, out, columns, messages)
    if _lacks(dataset, card.events, EventColumns.entry):
        if not settings.logs.events:
            raise NetopsError("the model counts events; give the events of this telemetry with --events")
        kinds = EventColumns.from_dict(card.events)
        reader = _events(dataset, settings)
        messages = read_messages(reader, lambda batch: kinds.find(batch.messages))
        _say_read(reader)
        dataset = add_columns(dataset, out, kinds, messages)
    return dataset


def _lacks(dataset: Dataset, declared: Mapping[str, object], entry: str) -> bool:
    """Return whether counts that a model declares are to be added.

    Raises
    ------
    NetopsError
        If the telemetry has counts, but not these: the numbers of templates would mean others.
    """
    found = dataset.meta.details.get(entry)
    if declared and found is not None and found != declared:
        raise NetopsError(
            f"{dataset.path}: has counts of {entry} that another model declares; give the telemetry from before"
        )
    return bool(declared) and found is None


def _logs(dataset: Dataset, settings: Settings) -> LogReader:
    return _reader(dataset, settings.logs.paths, settings.logs, settings.telemetry.timezone)


def _messages(reader: LogReader, templates: Templates) -> Messages:
    messages = read_messages(reader, lambda batch: templates.find(batch.messages))
    if not len(messages):
        hosts = brief([*reader.devices.unknown, *reader.devices.ambiguous], 4)
        raise NetopsError(f"{reader.paths[0]}: no log messages of a device of the telemetry; their hosts: {hosts}")
    return messages


def _events(dataset: Dataset, settings: Settings) -> LogReader:
    options = dataclasses.replace(settings.logs, format=EVENTS)
    reader = _reader(dataset, settings.logs.events, options, settings.telemetry.timezone)
    reader.report.what = "events"
    return reader


def _reader(dataset: Dataset, paths: Sequence[str], options: LogSettings, zone: str) -> LogReader:
    test = dataset.test
    devices, period = devices_and_period(dataset, *([test] if test is not None else []))
    files = [Path(path).expanduser() for path in paths]
    return LogReader(files, options, DeviceNames(devices), zone, period, progress.report)


def _labelled(dataset: Dataset, settings: Settings, horizon: int) -> Labelled:
    """Split the telemetry as training will."""
    options = settings.training
    try:
        return label(dataset, horizon, options.split, options.seed, options.cross_fit_below)[0]
    except FewLabelsError:
        return without_labels(dataset, horizon, options.split, options.seed)[0]


def _selection(found: Labelled) -> Callable[..., tuple[int, ...]]:
    """Choose how templates are selected: without incidents where each of them is to be predicted unseen."""
    return select_without_incidents if found.split.folds else select


def _training(found: Labelled) -> dict[str, Device]:
    """Return the devices of the training split, with their time and incidents in it."""
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


def _say_read(reader: LogReader) -> None:
    for line in reader.report.lines(reader.devices):
        progress.say(line)
    if (hosts := len(reader.devices.unknown)) and reader.report.what == "logs":
        progress.say(f"logs: hosts without telemetry: {hosts:,}; logs.only=true makes devices of them")
