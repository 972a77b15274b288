"""The Python API: the pipeline step by step, without the command line and without a service.

What is here is imported as ``netops.<name>``; everything else of the package may change without notice.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
import pandas as pd

from netops.config.durations import parse_duration
from netops.errors import UsageError
from netops.evaluation.assessment import assess_baseline, assess_clock, assess_deviations, assess_model
from netops.evaluation.trained import train_model
from netops.inspection.content import inspect_telemetry
from netops.json_types import JsonObject
from netops.models.card import read_card
from netops.models.onnx_file import Scorer
from netops.serving.decode.times import nanoseconds
from netops.serving.engine.champion import FixedModel
from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.runtime import Runtime
from netops.serving.requests.endpoints.alerts import AlertsQuery, alerts
from netops.simulator.generate import generate as simulate
from netops.telemetry.dataset import Dataset
from netops.telemetry.ingest import ingest as read
from netops.telemetry.sources.address import absolute
from netops.training.examples import prepare_examples
from netops.training.proof import write_proof
from netops.workflows.project import load_project
from netops.workflows.records.run_summary import RunSummary
from netops.workflows.run import Request
from netops.workflows.run import run as run_pipeline
from netops.workflows.settings import Settings, overridden, read_settings
from netops.workflows.stages.backtest import backtest_model
from netops.workflows.stages.log_columns import with_logs
from netops.workflows.stages.preparation import build, spec_for
from netops.workflows.stages.scoring import score as score_into

if TYPE_CHECKING:
    from mlrun.projects import MlrunProject

__all__ = [
    "Dataset",
    "Predictor",
    "build_features",
    "evaluate",
    "generate",
    "ingest",
    "inspect",
    "load_model",
    "open_project",
    "read_settings",
    "run",
    "run_backtest",
    "score",
    "train",
]

#: Settings as they are taken: bound, or sections with keys as in the configuration files.
Given = Settings | JsonObject
Source = str | Path


def generate(
    out: Source,
    *,
    devices: int | None = None,
    duration: str = "1d",
    interval: str | None = None,
    start: str | None = None,
    seed: int = 7,
    settings: Given | None = None,
) -> Dataset:
    """Generate the telemetry of a network whose devices fail.

    Parameters
    ----------
    out : str or Path
        Folder to write to.
    devices : int, optional
        How many; by default as many as ``metrics.yaml`` deploys.
    duration, interval : str
        How long it lasts, and the time between two samples of a device: ``"12h"``, ``"5s"``.
    start : str, optional
        Time of the first sample, ISO 8601; by default that of ``fleet.yaml``. Another start gives the same
        devices at another time, with other incidents.
    seed : int
        The same seed gives the same telemetry.
    settings : Settings or mapping, optional
        As :func:`read_settings` gives them.

    Returns
    -------
    Dataset
        Parquet files in ``out``; its incidents with the scenario and the start of the precursor.

    Raises
    ------
    NetopsError
        If the folder contains something else, or the start is not a time.

    Examples
    --------
    >>> telemetry = netops.generate(folder / "telemetry", devices=16, duration="10h", seed=1)
    >>> telemetry.meta.devices
    16
    """
    chosen = _settings(settings)
    fleet = chosen.fleet
    return simulate(
        chosen.metrics,
        Path(out),
        devices=devices,
        duration=parse_duration(duration),
        interval=parse_duration(interval) if interval else fleet.interval,
        start=_start(start) if start else fleet.start_time,
        origin=fleet.start_time,
        seed=seed,
        silent=chosen.generated_logs.silent_if_enabled,
    )


def ingest(
    telemetry: Source | Sequence[Source],
    out: Source,
    *,
    incidents: Source | None = None,
    settings: Given | None = None,
) -> Dataset:
    """Read telemetry of any supported form into a dataset.

    Parameters
    ----------
    telemetry : str, Path or sequence of them
        Files, folders or addresses (``prometheus://…``, ``v3io://…``).
    out : str or Path
        Output folder; an existing dataset is replaced.
    incidents : str or Path, optional
        Log of incidents; without it they are the runs of the column ``is_error``.
    settings : Settings or mapping, optional
        The section ``telemetry`` defines the column names; the messages of ``logs.paths`` and the events of
        ``logs.events`` are counted as further metrics.

    Raises
    ------
    NetopsError
        If the input cannot be used; the message names file, column and row.

    Examples
    --------
    >>> table = pandas.DataFrame(
    ...     {
    ...         "time": pandas.date_range("2026-01-01", periods=4, freq="60s", tz="UTC"),
    ...         "host": ["r1", "r2", "r1", "r2"],
    ...         "cpu": [40.0, 41.0, 42.0, 43.0],
    ...     }
    ... )
    >>> table.to_csv(folder / "routers.csv", index=False)
    >>> netops.ingest(folder / "routers.csv", folder / "routers").meta.metrics
    ('cpu',)
    """
    chosen = _settings(settings)
    return with_logs(read(_sources(telemetry), Path(out), chosen.telemetry, _path(incidents)), chosen)


def inspect(
    telemetry: Source | Sequence[Source],
    *,
    incidents: Source | None = None,
    horizon: str | None = None,
    settings: Given | None = None,
) -> list[str]:
    """Report what telemetry holds, how it would be read, and which run would work.

    Parameters
    ----------
    telemetry, incidents
        As for :func:`ingest`.
    horizon : str, optional
        How far ahead incidents are to be predicted: ``"10m"``.
    settings : Settings or mapping, optional

    Returns
    -------
    list of str
        The lines that ``netops inspect`` prints.

    Examples
    --------
    >>> netops.inspect(telemetry.path)[1]
    'metrics (4): minimum, median, maximum'
    """
    chosen = _settings(settings, f"training.horizon={horizon}" if horizon else None)
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        found = inspect_telemetry(
            _sources(telemetry),
            Path(scratch),
            chosen.telemetry,
            chosen.training,
            _path(incidents),
            logs=[Path(path).expanduser() for path in chosen.logs.paths],
            log_settings=chosen.logs,
        )
        return found.lines()


def build_features(
    telemetry: Dataset, out: Source, *, windows: str | None = None, settings: Given | None = None
) -> Dataset:
    """Build the feature vector of each sample.

    Parameters
    ----------
    telemetry : Dataset
    out : str or Path
        Output folder; existing contents are replaced.
    windows : str, optional
        Spans to look back: ``"1m,1h"``.
    settings : Settings or mapping, optional
        The section ``features`` names windows and statistics.

    Returns
    -------
    Dataset
        One row per sample: time, device, attributes, ``is_error`` and the features (float64).

    Examples
    --------
    >>> features = netops.build_features(telemetry, folder / "features")
    >>> features.meta.samples == telemetry.meta.samples
    True
    """
    chosen = _settings(settings, f"features.windows={windows}" if windows else None)
    return build(telemetry, Path(out), spec_for(telemetry, chosen), chosen)


def train(
    features: Dataset,
    out: Source,
    *,
    family: str = "xgboost",
    network: str = "demo",
    settings: Given | None = None,
) -> dict[str, float | None]:
    """Train one model family and assess it on the test split.

    Nothing is registered and nothing changes in service; :func:`run` does both.

    Parameters
    ----------
    features : Dataset
        As :func:`build_features` gives it.
    out : str or Path
        Model folder to write: ``model.onnx`` and ``card.json``.
    family : str
        ``"sklearn"``, ``"xgboost"``, ``"tensorflow"`` or ``"extra_trees"``.
    network : str
        Whose model it is.
    settings : Settings or mapping, optional
        The sections ``training`` and ``alerting``.

    Returns
    -------
    dict
        Figures of the test split: ``average_precision``, ``event_recall``, ``false_alarms_per_device_day``,
        ``median_lead_seconds``, ``threshold`` and further ones; None where unknown.

    Raises
    ------
    NetopsError
        If there are too few incidents for the splits, or the fit fails.

    Examples
    --------
    >>> figures = netops.train(features, folder / "model")
    >>> 0 <= figures["average_precision"] <= 1
    True
    """
    chosen = _settings(settings)
    options, alerting = chosen.training, chosen.alerting
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        examples = prepare_examples(features, options, Path(scratch))
        examples.require_labels()
        _, assessment = train_model(examples, family, options, alerting, Path(out), network=network)
        write_proof(examples, Path(out))
    return assessment.figures()


def evaluate(
    features: Dataset, model: Source, *, settings: Given | None = None
) -> dict[str, dict[str, float | None]]:
    """Compare a model with static thresholds and the clock baseline on the test split of a dataset.

    The split is that of the settings: for a model that was trained on this dataset, use the same.

    Parameters
    ----------
    features : Dataset
    model : str or Path
        Model folder.
    settings : Settings or mapping, optional
        The sections ``training`` and ``alerting``.

    Returns
    -------
    dict
        ``model``, ``static_threshold``, ``clock_only`` and ``deviations`` (a model without labels), each with
        the figures of :func:`train`.

    Examples
    --------
    >>> compared = netops.evaluate(features, folder / "model")
    >>> compared["model"]["average_precision"] == figures["average_precision"]
    True
    """
    chosen = _settings(settings)
    options, alerting = chosen.training, chosen.alerting
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        examples = prepare_examples(features, options, Path(scratch))
        examples.require_labels()
        assessments = {
            "model": assess_model(examples, Path(model), alerting, options.seed),
            "static_threshold": assess_baseline(examples, alerting, options.seed)[1],
            "clock_only": assess_clock(examples, alerting, options.seed)[0],
            "deviations": assess_deviations(examples, alerting, options.seed)[0],
        }
        return {name: found.figures() for name, found in assessments.items()}


def load_model(model: Source, *, threads: int = 1) -> Scorer:
    """Open a model folder for scoring feature vectors.

    Parameters
    ----------
    model : str or Path
        Model folder.
    threads : int
        Threads of one call.

    Returns
    -------
    Scorer
        ``card`` names the features in their order; ``score`` takes a float64 array n × F, raw and NaN where
        unknown, and gives n risks in 0..1.

    Raises
    ------
    NetopsError
        If the folder holds no model.

    Examples
    --------
    >>> model = netops.load_model(folder / "model")
    >>> risks = model.score(numpy.full((2, len(model.card.features)), numpy.nan))
    >>> risks.shape
    (2,)
    """
    return Scorer(Path(model), threads)


def score(telemetry: Source | Sequence[Source], model: Source, *, settings: Given | None = None) -> pd.DataFrame:
    """Score all samples of telemetry.

    Parameters
    ----------
    telemetry : str, Path or sequence of them
        As for :func:`ingest`; it needs no incidents.
    model : str or Path
        Model folder.
    settings : Settings or mapping, optional

    Returns
    -------
    pandas.DataFrame
        ``timestamp``, ``device``, ``risk``, ``model_version`` and ``probability``; NaN where a sample has no value
        of any metric, or the model is not calibrated.

    Examples
    --------
    >>> risks = netops.score(telemetry.path, folder / "model")
    >>> len(risks) == telemetry.meta.samples
    True
    """
    with tempfile.TemporaryDirectory(prefix="netops-") as scratch:
        out = Path(scratch) / "risks.parquet"
        score_into(_sources(telemetry), Path(model), _settings(settings), out)
        return pd.read_parquet(out)


def run_backtest(
    telemetry: Source | Sequence[Source],
    model: Source,
    *,
    incidents: Source | None = None,
    network: str = "demo",
    settings: Given | None = None,
) -> dict[str, Any]:
    """Replay past telemetry through the serving pipeline and report which incidents would have been predicted.

    Parameters
    ----------
    telemetry, incidents
        As for :func:`ingest`.
    model : str or Path
        Model folder.
    network : str
    settings : Settings or mapping, optional

    Returns
    -------
    dict
        What ``netops backtest --json`` prints: figures, every incident, every false alarm.

    Examples
    --------
    >>> replayed = netops.run_backtest(telemetry.path, folder / "model")
    >>> len(replayed["incidents"]) > 0
    True
    """
    chosen = _settings(settings)
    return backtest_model(network, Path(model), _sources(telemetry), _path(incidents), chosen).to_dict()


class Predictor(AbstractContextManager["Predictor"]):
    """A model in service inside this process: samples in, risks, reasons and alerts out.

    It does what ``netops serve`` does with each request. Not safe for several threads at once.

    Parameters
    ----------
    model : str or Path
        Model folder.
    network : str
    state : str or Path, optional
        Folder for the state of the devices, restored at the next start; by default no state is stored.
    settings : Settings or mapping, optional
        The sections ``serving`` and ``alerting``.

    Examples
    --------
    >>> with netops.Predictor(folder / "model") as predictor:
    ...     sample = {"timestamp": "2026-02-01T00:00:00Z", "device": "r1", "cpu_utilization": 42.0}
    ...     [answer] = predictor.predict([sample])
    ...     predictor.alerts()
    []
    >>> answer["status"]
    'scored'
    """

    def __init__(
        self,
        model: Source,
        *,
        network: str = "demo",
        state: Source | None = None,
        settings: Given | None = None,
    ) -> None:

        chosen = _settings(settings)
        with ExitStack() as opened:
            folder = state or opened.enter_context(tempfile.TemporaryDirectory(prefix="netops-"))
            source = FixedModel(read_card(Path(model)).version, Path(model))
            serving, alerting = chosen.serving, chosen.alerting
            self._runtime = Runtime(network, source, serving, alerting, Path(folder))
            opened.callback(self._runtime.close)
            self._opened = opened.pop_all()
        self._pipeline = Pipeline(self._runtime)

    def predict(self, samples: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
        """Take samples of any devices, in the order of their times.

        Parameters
        ----------
        samples : sequence of mapping
            ``timestamp`` (ISO 8601 or seconds since the epoch), ``device`` and metrics.

        Returns
        -------
        list of dict
            One per sample, as ``POST /telemetry`` answers: ``status``, ``risk``, ``alert``, ``reasons``, …
        """
        answers = self._pipeline.run(msgspec.json.encode(list(samples)))
        return [msgspec.to_builtins(answer) for answer in answers]

    def alerts(self) -> list[dict[str, Any]]:
        """List the open alerts, the newest first."""
        return [msgspec.to_builtins(alert) for alert in alerts(self._runtime, AlertsQuery())]

    def metrics(self) -> str:
        """Return the exported metrics in Prometheus' text format, as ``GET /metrics`` answers."""
        return self._runtime.metrics.export().decode()

    def close(self) -> None:
        """Save the state and close the model."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run(
    name: str = "demo",
    telemetry: Source | Sequence[Source] = (),
    *,
    incidents: Source | None = None,
    overrides: Iterable[str] = (),
    settings: Given | None = None,
) -> RunSummary:
    """Run the pipeline on this machine: telemetry, features, training, selection, proof and promotion.

    Parameters
    ----------
    name : str
        The network.
    telemetry : str, Path or sequence of them
        What to learn from; without it, the samples are those of ``logs.paths``, or else a network is generated.
    incidents : str or Path, optional
    overrides : iterable of str
        ``section.key=value``, as ``netops run --set`` takes them.
    settings : Settings or mapping, optional

    Returns
    -------
    dict
        What ``netops run --json`` prints: models, baselines, champion, paths.

    Raises
    ------
    NetopsError
        If a stage fails; ``netops runs list`` shows the run.
    """
    chosen = _settings(settings, *overrides)
    return run_pipeline(Request(name, chosen, tuple(_sources(telemetry)), _path(incidents)))


def open_project() -> "MlrunProject":
    """Load the MLRun project: its functions, runs, artifacts and models.

    Returns
    -------
    MlrunProject
        On the embedded run database, or on the service that ``MLRUN_DBPATH`` names.
    """
    return load_project()


def _settings(settings: Given | None, *overrides: str | None) -> Settings:
    """Return the settings, with overrides, or those of the configuration folder."""
    given = [override for override in overrides if override]
    if settings is None:
        return read_settings(overrides=given)
    return overridden(settings, given)


def _start(text: str) -> int:
    try:
        return nanoseconds(text)
    except ValueError as error:
        raise UsageError(f"start: {error}") from None


def _sources(telemetry: Source | Sequence[Source]) -> list[str]:
    given = [telemetry] if isinstance(telemetry, (str, Path)) else telemetry
    return [absolute(str(source)) for source in given]


def _path(path: Source | None) -> Path | None:
    return None if path is None else Path(path).resolve()
