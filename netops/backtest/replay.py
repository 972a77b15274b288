"""History through the serving pipeline: every sample as if it had just come in, in the order of their times."""

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

#: Most samples of a batch.
BATCH = 4_096
_NOTHING: list[Reason] = []


@dataclass(frozen=True)
class Replayed:
    """What the server did.

    Attributes
    ----------
    model : ServedModel
        What it served.
    risks : float64 array, rows of the history
        NaN where a sample was not scored.
    alerts : list of Alert
        Of every kind, in the order in which they opened; without reasons.
    statuses : dict
        Status → how many samples were answered so.
    on_trial : int
        Samples of devices ahead of their network's time, which do not alert.
    """

    model: ServedModel
    risks: Floats
    alerts: list[Alert]
    statuses: dict[str, int]
    on_trial: int


class _Mute(Pipeline):
    """Names no reasons: a replay wants those of a few samples, and finds them afterwards."""

    def explain(self, work: Work) -> Work:
        """Leave the reasons empty."""
        work.reasons = [_NOTHING] * len(work.scored)
        return work


def replay(
    history: History,
    network: str,
    model: FixedModel,
    serving: ServingSettings,
    alerting: AlertSettings,
    progress: Progress = silent,
) -> Replayed:
    """Let a server that knows nothing yet take the whole history. Nobody is told of an alert.

    Parameters
    ----------
    history : History
        Its values in the order of the model's metrics, counters as rates.
    network : str
    model : FixedModel
        What is served.
    serving, alerting
        Sections of the configuration.
    progress : Progress

    Raises
    ------
    NetopsError
        If the model cannot be loaded.
    """
    with tempfile.TemporaryDirectory(prefix="netops-") as folder:
        quiet = dataclasses.replace(serving, receivers=())
        runtime = Runtime(network, model, quiet, alerting, Path(folder))
        try:
            runtime.model.counters = ()  # the history holds rates
            runtime.reset()
            return _play(_Mute(runtime), history, progress)
        finally:
            runtime.close()


def _play(pipeline: _Mute, history: History, progress: Progress) -> Replayed:
    runtime, total = pipeline.runtime, len(history.sequences)
    risks, statuses, on_trial = np.full(total, np.nan), Counter[int](), 0
    for rows, samples in _batches(history, runtime):
        work = pipeline.alert(pipeline.explain(pipeline.score(pipeline.features(pipeline.validate(samples)))))
        risks[rows[work.scored]] = work.risks
        statuses.update(dict(enumerate(np.bincount(work.status).tolist())))
        on_trial += int(work.on_trial.sum())
        progress(statuses.total(), total, "replay")
    alerts = runtime.store.recent(limit=2**31)[::-1]
    told = {name: statuses[code] for code, name in enumerate(STATUSES)}
    return Replayed(runtime.model, risks, alerts, told, on_trial)


def _batches(history: History, runtime: Runtime) -> Iterator[tuple[Integers, Samples]]:
    """Cut the history into batches short enough in event time that silences are seen as they would have been."""
    sequences, order = history.sequences, history.in_time
    devices, times = sequences.device_of_row[order], sequences.timestamps[order]
    names = np.array(sequences.devices, dtype=object)
    span = min(*runtime.model.spec.windows, runtime.settings.time.future_limit // 2)
    seen = np.zeros(len(names), dtype=np.bool_)
    for start, end in pairwise(_cuts(times, span)):
        rows, codes = order[start:end], devices[start:end]
        # Where a device stands is told once.
        fresh = not seen[codes].all()
        companies, centers = (_places(history, name, codes) if fresh else [] for name in (COMPANY, DATA_CENTER))
        seen[codes] = True
        stamps: list[Stamp | None] = [None] * len(rows)
        named, values = names[codes].tolist(), history.values[rows]
        yield rows, Samples(named, stamps, times[start:end], values, companies, centers)


def _cuts(times: Integers, span: int) -> list[int]:
    """Begin a new batch with each ``span`` of event time, and with the first instant that a batch cannot hold."""
    cuts, total = [0], len(times)
    while cuts[-1] < total:
        start = cuts[-1]
        end = min(start + BATCH, int(np.searchsorted(times, times[start] + span)))
        if end < total and times[end] == times[end - 1] != times[start]:
            end = int(np.searchsorted(times, times[end]))
        cuts.append(end)
    return cuts


def _places(history: History, attribute: str, codes: Integers) -> list[str | None]:
    if attribute not in history.attributes:
        return [None] * len(codes)
    known = history.attributes[attribute]
    return [known[code] or None for code in codes.tolist()]


def reasons_at(history: History, model: ServedModel, rows: Integers) -> list[list[Reason]]:
    """Name the exact reasons of some samples: what the server says of a sample that opens an alert.

    A sample's features depend on the samples inside its windows alone, so that these suffice to have them again.
    """
    spec, sequences = model.spec, history.sequences
    features = np.empty((len(rows), len(spec.names)))
    engine = FeatureEngine(spec)
    for index, row in enumerate(rows.tolist()):
        first = sequences.offsets[sequences.device_of_row[row]]
        times = sequences.timestamps[first : row + 1]
        since = first + int(np.searchsorted(times, times[-1] - spec.longest_window, side="right"))
        own = slice(since, row + 1)
        code = np.zeros(row + 1 - since, dtype=np.int64)
        features[index] = engine.update(code, sequences.timestamps[own], history.values[own])[0][-1]
        engine.forget(0)
    return model.reasons(model.select(features), np.arange(len(rows)))
