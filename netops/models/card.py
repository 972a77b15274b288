"""The model card: description of a model, stored as JSON in its folder."""

import dataclasses
import hashlib
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError, closest
from netops.features.spec import SpecValues
from netops.files import read_json, write_json
from netops.json_types import Json, JsonDict
from netops.models.card_sections import (
    AlertValues,
    Background,
    Calibration,
    EvaluationValues,
    EventValues,
    Hyperparameters,
    LogValues,
    ScalingValues,
    SearchResult,
    Split,
    TrainingData,
)
from netops.telemetry.network_schema import NetworkSchema

CARD_FILE = "card.json"
FORMAT = 1


class CardChanges(TypedDict, total=False):
    """The entries that are written after the fit."""

    version: str
    fit_seconds: float
    agreement: float
    search: SearchResult
    data: TrainingData
    calibration: Calibration
    threshold: float | None
    alert: AlertValues
    evaluation: EvaluationValues


@dataclass(frozen=True)
class ModelCard:
    """Inputs, training and evaluation of a model. All fields can be written as JSON.

    Attributes
    ----------
    network, family : str
        The network, and the model family.
    version : str
        Hash of the model file and its purpose: the same training gives the same version.
    features : tuple of str
        The input features, in order.
    spec : dict
        The declaration of all features of the network (``FeatureSpec.to_dict()``).
    metrics : tuple of str
        The metric schema of the network.
    horizon : int
        Nanoseconds.
    interval_seconds : float
        Median time between two samples of a device in the training telemetry.
    scaling : dict
        ``Scaling.to_dict()``; the model file includes the scaling.
    params : dict
        Hyper-parameters, seed and threads.
    iterations : int
        Number of trees or epochs.
    fit_seconds : float
        Wall time of the fit alone.
    search : dict
        Trials and result of a hyper-parameter search (``search.summary_of``); empty without one.
    split : dict
        Boundaries of the training, validation and test splits.
    data : dict
        Rows, positives, base rate and fingerprint of the training split; ``counters``: metrics that are sent as
        counters and were turned into rates; ``fitted_rows``: those of them that the family took, ``read`` from
        ``memory``, in ``pieces`` from disk, or by the ``workers`` of a ``cluster``.
    background : dict
        Per feature: quantiles, mean and fraction of missing values in the training split.
    libraries : dict
        Versions of the libraries that trained and wrote it.
    agreement : float
        Maximum difference between the model file and the native model on samples that both have scored.
    calibration : dict
        Calibration of risks to probabilities (``Platt.to_dict()``), or the reason why there is none.
    threshold : float or None
        Risk from which on samples count towards an alert; None until it is chosen.
    alert : dict
        The alert policy.
    evaluation : dict
        Figures on the test split, and other results.
    logs : dict
        The metrics that count log messages, with the templates (``LogColumns.to_dict()``); empty without logs.
    events : dict
        The metrics that count events (``EventColumns.to_dict()``); empty without events.
    supervised : bool
        Whether it was trained on labels; otherwise there are no figures that need them.
    """

    network: str
    family: str
    version: str
    features: tuple[str, ...]
    spec: SpecValues
    metrics: tuple[str, ...]
    horizon: int
    interval_seconds: float = 0.0
    scaling: ScalingValues = field(default_factory=ScalingValues)
    params: Hyperparameters = field(default_factory=dict)
    iterations: int = 0
    fit_seconds: float = 0.0
    search: SearchResult = field(default_factory=SearchResult)
    split: Split = field(default_factory=Split)
    data: TrainingData = field(default_factory=TrainingData)
    background: Background = field(default_factory=Background)
    libraries: dict[str, str] = field(default_factory=dict)
    agreement: float = 0.0
    calibration: Calibration = field(default_factory=Calibration)
    threshold: float | None = None
    alert: AlertValues = field(default_factory=AlertValues)
    evaluation: EvaluationValues = field(default_factory=EvaluationValues)
    logs: LogValues = field(default_factory=LogValues)
    events: EventValues = field(default_factory=EventValues)
    supervised: bool = True

    def to_dict(self) -> JsonDict:
        """Return the card as JSON-compatible values; NaN becomes null."""
        values = {key: _plain(value) for key, value in dataclasses.asdict(self).items()}
        for entry in ("logs", "events"):
            if not values[entry]:
                del values[entry]
        return {"format": FORMAT} | values

    @classmethod
    def from_dict(cls, values: object, where: str = CARD_FILE) -> "ModelCard":
        """Read what :meth:`to_dict` gave; keys of later versions are ignored.

        Raises
        ------
        NetopsError
            If it is not a card, or has an unsupported format.
        """
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise NetopsError(f"{where}: not a model card of format {FORMAT}; train the model again")
        fields = dataclasses.fields(cls)
        required = [f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING]
        if missing := [name for name in required if name not in values]:
            raise NetopsError(f"{where}: key '{missing[0]}' is missing; train the model again")
        known = {f.name: values[f.name] for f in fields if f.name in values}
        return cls(**known | {name: tuple(known[name]) for name in ("features", "metrics")})

    def updated(self, **changes: Unpack[CardChanges]) -> "ModelCard":
        """Return the card with some entries changed, such as threshold, alert or evaluation."""
        return dataclasses.replace(self, **changes)

    @property
    def schema(self) -> NetworkSchema:
        """How later telemetry of the network is read; columns that count messages and events are added to it."""
        counted = {*self.logs.get("columns", ()), *self.events.get("columns", ())}
        metrics = tuple(name for name in self.metrics if name not in counted)
        return NetworkSchema(metrics, tuple(self.data.get("counters", ())))

    def indices(self, names: list[str] | tuple[str, ...]) -> npt.NDArray[np.int64]:
        """Find the model's features among the columns of a feature matrix.

        Raises
        ------
        NetopsError
            If one is missing: the matrix is of another network or feature spec.
        """
        index = {name: number for number, name in enumerate(names)}
        if missing := [name for name in self.features if name not in index]:
            raise NetopsError(
                f"model {self.version} takes feature '{missing[0]}', which is missing{closest(missing[0], names)}"
            )
        return np.array([index[name] for name in self.features], np.int64)


def read_card(folder: Path) -> ModelCard:
    """Read the card of a model folder.

    Raises
    ------
    NetopsError
        If it is missing or not a card.
    """
    path = folder / CARD_FILE
    try:
        values = read_json(path)
    except FileNotFoundError:
        raise NetopsError(f"{folder}: not a model folder ({CARD_FILE} is missing)") from None
    except ValueError as error:
        raise NetopsError(f"{path}: not JSON: {error}") from None
    return ModelCard.from_dict(values, str(path))


def write_card(folder: Path, card: ModelCard) -> None:
    """Write the card into a model folder, atomically."""
    write_json(folder / CARD_FILE, card.to_dict())


def version_of(model: bytes, *purpose: object) -> str:
    """Return a short version: the hash of a model file and its purpose."""
    digest = hashlib.blake2b(model, digest_size=6)
    digest.update(repr(purpose).encode())
    return digest.hexdigest()


def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Determine the installed versions of distributions."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    # TensorFlow has two distribution names.
    for candidate in (name, f"{name}-cpu"):
        try:
            return version(candidate)
        except PackageNotFoundError:
            continue
    return "unknown"


def _plain(value: object) -> Json:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a model card cannot hold a {type(value).__name__}")
