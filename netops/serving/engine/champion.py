"""The model in service: where it is looked up, and what of it the steps need."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError, NoChampionError
from netops.features.spec import FeatureSpec
from netops.files import read_json, write_json
from netops.serving.engine.samples import Reason

if TYPE_CHECKING:
    from netops.models.card import ModelCard

#: Reasons given for a sample.
REASONS = 3
#: The threshold of a model whose card names none: it scores, but never alerts.
UNREACHABLE = 2.0


class Champion(NamedTuple):
    """Which model is in service: its version and its folder."""

    version: str
    path: Path


class ModelSource(Protocol):
    """Says which model is in service; asked again and again, so it must be quick."""

    def champion(self) -> Champion:
        """Name the champion.

        Raises
        ------
        NetopsError
            If there is none.
        """

    def shadow(self) -> Champion | None:
        """Name the challenger that scores in its shadow, if there is one."""

    def find(self, version: str) -> Champion:
        """Find a version of the network, in service or not, such as one that is to be proven.

        Raises
        ------
        NetopsError
            If there is none.
        """


@dataclass(frozen=True)
class ChampionFile:
    """A champion named by a JSON file ``{"version": …, "path": …}``; a relative path is relative to the file.

    A shadow is named the same way under the key ``shadow``.
    """

    file: Path

    def champion(self) -> Champion:
        """Read the file."""
        try:
            raw = read_json(self.file)
            return Champion(str(raw["version"]), self.file.parent / raw["path"])
        except FileNotFoundError:
            raise NoChampionError(f"{self.file}: no champion yet; train one with 'netops run'") from None
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise NetopsError(f"{self.file}: names no champion: {error!r}") from None

    def shadow(self) -> Champion | None:
        """Read the file."""
        raw = read_json(self.file).get("shadow")
        return Champion(str(raw["version"]), self.file.parent / raw["path"]) if raw else None

    def find(self, version: str) -> Champion:
        """Give the champion or its shadow."""
        return _named(version, self.champion(), self.shadow())

    def promote(self, version: str, path: Path) -> None:
        """Put a model in service, at once; a shadow stays, unless it is the one."""
        before = read_json(self.file).get("shadow") if self.file.is_file() else None
        kept = {"shadow": before} if before and before["version"] != version else {}
        write_json(self.file, {"version": version, "path": str(path)} | kept)

    def put_in_shadow(self, version: str, path: Path) -> None:
        """Let a model score in the shadow of the champion, at once."""
        write_json(self.file, read_json(self.file) | {"shadow": {"version": version, "path": str(path)}})

    def end_shadow(self) -> None:
        """Let no model score in the shadow of the champion any more."""
        named = read_json(self.file) if self.file.is_file() else {}
        if named.pop("shadow", None):
            write_json(self.file, named)


@dataclass(frozen=True)
class FixedModel:
    """A model folder that stays in service."""

    version: str
    path: Path

    def champion(self) -> Champion:
        """Name it."""
        return Champion(self.version, self.path)

    def shadow(self) -> None:
        """Return None: there is no shadow."""

    def find(self, version: str) -> Champion:
        """Give it, if it is the one."""
        return _named(version, self.champion())


def _named(version: str, *known: Champion | None) -> Champion:
    for champion in known:
        if champion is not None and champion.version == version:
            return champion
    raise NetopsError(f"no version '{version[:40]}' is served here")


class Explainer(Protocol):
    """Splits risks into contributions of features, in log-odds; n × features in, n × features out."""

    def fast(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Give contributions quickly."""

    def exact(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Give exact contributions."""


class ServedModel:
    """A loaded champion: scores and explains the feature vectors of its spec.

    Parameters
    ----------
    version : str
        Named in every answer.
    spec : FeatureSpec
        The features that the engine must compute.
    scorer, explainer
        What scores and explains; the explainer may be None.
    columns : sequence of int or None
        Which of the spec's columns the model takes, in its order; None for all.
    threshold, horizon : float, int
        From the card: the risk that alerts, and the horizon in nanoseconds.
    counters : tuple of str
        Metrics that are sent as counters, and were turned into rates for training.
    card : ModelCard, optional
        What is known of its training.
    """

    def __init__(
        self,
        version: str,
        spec: FeatureSpec,
        scorer: Any,
        explainer: Explainer | None,
        columns: npt.NDArray[np.int64] | None,
        threshold: float,
        horizon: int,
        counters: tuple[str, ...] = (),
        card: "ModelCard | None" = None,
    ) -> None:
        self.counters, self.card = counters, card
        self.version, self.spec, self.scorer, self.explainer = version, spec, scorer, explainer
        self.columns, self.threshold, self.horizon = columns, threshold, horizon
        names = spec.names
        self.features = names if columns is None else tuple(names[index] for index in columns)

    def select(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Take the model's columns out of n × spec features."""
        return features if self.columns is None else np.ascontiguousarray(features[:, self.columns])

    def score(self, selected: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Score n × model features: risks in 0..1."""
        return np.asarray(self.scorer.score(selected), dtype=np.float64)

    def both(self, selected: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Score n × model features: risks and probabilities in 0..1; the latter NaN from a model without."""
        risks, probabilities = self.scorer.both(selected)
        return risks, probabilities

    def reasons(self, selected: npt.NDArray[np.float64], exact: npt.NDArray[np.int64]) -> list[list[Reason]]:
        """Name the features that raised each risk most.

        Parameters
        ----------
        selected : float64 array, n × model features
            The feature vectors.
        exact : int64 array
            The rows whose contributions are to be exact.
        """
        if self.explainer is None or len(selected) == 0:
            return [[] for _ in range(len(selected))]
        from netops.models.explanation import highest

        contributions = self.explainer.fast(selected)
        if len(exact):
            contributions[exact] = self.explainer.exact(selected[exact])
        indices, values = highest(contributions, REASONS)
        names = self.features
        return [
            [Reason(names[index], value) for index, value in zip(row, shares, strict=True) if value > 0]
            for row, shares in zip(indices.tolist(), values.tolist(), strict=True)
        ]


def load_model(champion: Champion) -> ServedModel:
    """Open a model folder for service.

    Raises
    ------
    NetopsError
        If the folder holds no model.
    """
    from netops.models.explanation import Explainer as RowExplainer
    from netops.models.onnx_file import Scorer

    scorer = Scorer(champion.path)
    card = scorer.card
    spec = FeatureSpec.from_dict(card.spec)
    columns = None if card.features == spec.names else card.places(spec.names)
    threshold = UNREACHABLE if card.threshold is None else float(card.threshold)
    counters = tuple(card.data.get("counters") or ())
    explainer = RowExplainer(champion.path)
    model = ServedModel(champion.version, spec, scorer, explainer, columns, threshold, card.horizon, counters, card)
    # The first call is the slow one: buffers are made, kernels loaded. No request should pay for it.
    blank = np.zeros((2, len(card.features)))
    model.both(blank)
    model.reasons(blank, np.array([0]))
    return model
