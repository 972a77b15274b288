"""Replay past telemetry through the serving pipeline in order of time."""

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from netops.alerting.sequences import Floats, Integers
from netops.alerting.settings import AlertSettings
from netops.backtest.history import History
from netops.features.engine import FeatureEngine
from netops.progress import Progress, silent
from netops.serving.alerts.store import Alert
from netops.serving.decode.times import Stamp
from netops.serving.engine.champion import FixedModel, ServedModel
from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import STATUSES, Reason, Samples
from netops.serving.engine.work import Work
from netops.serving.settings import ServingSettings
from netops.telemetry.schema import COMPANY, DATA_CENTER

#: Maximum samples per batch.
BATCH = 4_096
_NO_REASONS: list[Reason] = []


@dataclass(frozen=True)
class Replayed:
    """The result of a replay.

    Attributes
    ----------
    model : ServedModel
        The served model.
    risks : float64 array, rows of the history
        NaN if a sample was not scored.
    alerts : list of Alert
        Alerts of every kind in order of opening, without reasons.
    statuses : dict
        Status → number of samples.
    quarantined : int
        Samples of quarantined devices (clock ahead of the network's), which do not alert.
    """

    model: ServedModel
    risks: Floats
    alerts: list[Alert]
    statuses: dict[str, int]
    quarantined: int


class _WithoutReasons(Pipeline):
    """A pipeline that computes no reasons: a replay needs few of them and computes them afterwards."""

    def explain(self, work: Work) -> Work:
        """Leave the reasons empty."""
        work.reasons = [_NO_REASONS] * len(work.scored)
        return work


def replay(
    history: History,
    network: str,
    model: FixedModel,
    serving: ServingSettings,
    alerting: AlertSettings,
    progress: Progress = silent,
) -> Replayed:
    """Replay a history through a server with empty state. Alerts are not sent.

    Parameters
    ----------
    history : History
        Values in the order of the model's metrics; counters are rates.
    network : str
    model : FixedModel
        The model to serve.
    serving, alerting
        Sections of the configuration.
    progress : Progress

    Raises
    ------
    NetopsError
        If the model cannot be loaded.
    """
    with tempfile.TemporaryDirectory(prefix="netops-") as folder:
        without_receivers = dataclasses.replace(serving, receivers=())
        runtime = Runtime(network, model, without_receivers, alerting, Path(folder))
        try:
            runtime.model.counters = ()  # the history already has rates
            runtime.reset()
            return _replay(_WithoutReasons(runtime), history, progress)
        finally:
            runtime.close()


def _replay(pipeline: _WithoutReasons, history: History, progress: Progress) -> Replayed:
    runtime, total = pipeline.runtime, len(history.sequences)
    risks, statuses, quarantined = np.full(total, np.nan), Counter[int](), 0
    for rows, samples in _batches(history, runtime):
        work = pipeline.alert(pipeline.explain(pipeline.score(pipeline.features(pipeline.validate(samples)))))
        risks[rows[work.scored]] = work.risks
        statuses.update(dict(enumerate(np.bincount(work.status).tolist())))
        quarantined += int(work.quarantined.sum())
        progress(statuses.total(), total, "replay")
    alerts = runtime.store.recent(limit=2**31)[::-1]
    counts = {name: statuses[code] for code, name in enumerate(STATUSES)}
    return Replayed(runtime.model, risks, alerts, counts, quarantined)


def _batches(history: History, runtime: Runtime) -> Iterator[tuple[Integers, Samples]]:
    """Split the history into batches, short enough in event time to detect stale devices as in service."""
    sequences, order = history.sequences, history.in_time
    devices, times = sequences.device_of_row[order], sequences.timestamps[order]
    names = np.array(sequences.devices, dtype=object)
    span = min(*runtime.model.spec.windows, runtime.settings.time.future_limit // 2)
    seen = np.zeros(len(names), dtype=np.bool_)
    for start, end in pairwise(_cuts(times, span)):
        rows, codes = order[start:end], devices[start:end]
        # The location of a device is sent once.
        unseen = not seen[codes].all()
        companies, centers = (_locations(history, name, codes) if unseen else [] for name in (COMPANY, DATA_CENTER))
        seen[codes] = True
        stamps: list[Stamp | None] = [None] * len(rows)
        named, values = names[codes].tolist(), history.values[rows]
        yield rows, Samples(named, stamps, times[start:end], values, companies, centers)


def _cuts(times: Integers, span: int) -> list[int]:
    """Return where batches start: after each ``span`` of event time or ``BATCH`` samples, between timestamps."""
    cuts, total = [0], len(times)
    while cuts[-1] < total:
        start = cuts[-1]
        end = min(start + BATCH, int(np.searchsorted(times, times[start] + span)))
        if end < total and times[end] == times[end - 1] != times[start]:
            end = int(np.searchsorted(times, times[end]))
        cuts.append(end)
    return cuts


def _locations(history: History, attribute: str, codes: Integers) -> list[str | None]:
    if attribute not in history.attributes:
        return [None] * len(codes)
    known = history.attributes[attribute]
    return [known[code] or None for code in codes.tolist()]


def reasons_at(history: History, model: ServedModel, rows: Integers) -> list[list[Reason]]:
    """Return the reasons of some samples, as the server reports them for an alert.

    The features of a sample depend only on the samples in its windows, so they are recomputed from these; with
    baselines, from all samples before it.
    """
    spec, sequences = model.spec, history.sequences
    features = np.empty((len(rows), len(spec.names)))
    engine = FeatureEngine(spec)
    for index, row in enumerate(rows.tolist()):
        first = sequences.offsets[sequences.device_of_row[row]]
        times = sequences.timestamps[first : row + 1]
        since = first + int(np.searchsorted(times, times[-1] - spec.longest_window, side="right"))
        since = first if spec.has_baseline else since
        own = slice(since, row + 1)
        code = np.zeros(row + 1 - since, dtype=np.int64)
        features[index] = engine.update(code, sequences.timestamps[own], history.values[own])[0][-1]
        engine.forget(0)
    return model.reasons(model.select(features), np.arange(len(rows)))
