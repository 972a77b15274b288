"""The model in service: its source, and what the serving steps need of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError, NoChampionError
from netops.features.spec import FeatureSpec
from netops.files import read_json, write_json
from netops.logs.columns import LogColumns
from netops.logs.events import EventColumns
from netops.logs.tally import Counted
from netops.models.assessor import Assessed, Assessor
from netops.models.card import ModelCard
from netops.models.explanation import Explainer, highest
from netops.serving.engine.samples import Reason
from netops.threads import RowThreads, cpus

#: Number of reasons per sample.
REASONS = 3
#: Maximum threads that score and explain a slice.
_THREADS = 4
#: The threshold of a model without one in its card: it scores, but never alerts.
UNREACHABLE = 2.0


class Champion(NamedTuple):
    """Version and folder of a model in service."""

    version: str
    path: Path


class ModelSource(Protocol):
    """Returns the model in service. It is polled, so it must be fast."""

    def champion(self) -> Champion:
        """Return the champion.

        Raises
        ------
        NetopsError
            If there is none.
        """

    def shadow(self) -> Champion | None:
        """Return the challenger that scores in shadow, or None."""

    def find(self, version: str) -> Champion:
        """Return any version of the network, for example one that is to be verified.

        Raises
        ------
        NetopsError
            If there is none.
        """


@dataclass(frozen=True)
class ChampionFile:
    """A champion defined by a JSON file ``{"version": …, "path": …}``; a relative path is relative to the file.

    The key ``shadow`` defines a shadow in the same way.
    """

    file: Path

    def champion(self) -> Champion:
        """Read the model from the file."""
        try:
            raw = read_json(self.file)
            return Champion(str(raw["version"]), self.file.parent / raw["path"])
        except FileNotFoundError:
            raise NoChampionError(f"{self.file}: no champion yet; train one with 'netops run'") from None
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise NetopsError(f"{self.file}: invalid champion: {error!r}") from None

    def shadow(self) -> Champion | None:
        """Read the model from the file."""
        raw = read_json(self.file).get("shadow")
        return Champion(str(raw["version"]), self.file.parent / raw["path"]) if raw else None

    def find(self, version: str) -> Champion:
        """Return the champion or its shadow by version."""
        return _named(version, self.champion(), self.shadow())

    def promote(self, version: str, path: Path) -> None:
        """Put a model in service; a shadow stays, unless it is the promoted model."""
        before = read_json(self.file).get("shadow") if self.file.is_file() else None
        unchanged = {"shadow": before} if before and before["version"] != version else {}
        write_json(self.file, {"version": version, "path": str(path)} | unchanged)

    def put_in_shadow(self, version: str, path: Path) -> None:
        """Let a model score as the shadow of the champion."""
        write_json(self.file, read_json(self.file) | {"shadow": {"version": version, "path": str(path)}})

    def end_shadow(self) -> None:
        """Remove the shadow."""
        named = read_json(self.file) if self.file.is_file() else {}
        if named.pop("shadow", None):
            write_json(self.file, named)


@dataclass(frozen=True)
class FixedModel:
    """A source with one fixed model."""

    version: str
    path: Path

    def champion(self) -> Champion:
        """Return the model."""
        return Champion(self.version, self.path)

    def shadow(self) -> None:
        """Return None: there is no shadow."""

    def find(self, version: str) -> Champion:
        """Return the model if it has this version."""
        return _named(version, self.champion())


def _named(version: str, *known: Champion | None) -> Champion:
    for champion in known:
        if champion is not None and champion.version == version:
            return champion
    raise NetopsError(f"version '{version[:40]}' not found")


class ServedModel:
    """A loaded champion: scores and explains the feature vectors of its spec.

    Parameters
    ----------
    version : str
        The version in each answer.
    spec : FeatureSpec
        The features that the engine must compute.
    scorer : Assessor
    explainer : Explainer
    columns : sequence of int or None
        Indices of the model's columns in the spec, in the model's order; None for all.
    threshold, horizon : float, int
        From the card: the risk that alerts, and the horizon in nanoseconds.
    counters : tuple of str
        Metrics that are sent as counters and converted to rates.
    card : ModelCard, optional
        The model card.
    counted : tuple of Counted
        Metrics that count messages and events.
    threads : int
        Threads that score many rows.
    """

    def __init__(
        self,
        version: str,
        spec: FeatureSpec,
        scorer: Assessor,
        explainer: Explainer,
        columns: npt.NDArray[np.int64] | None,
        threshold: float,
        horizon: int,
        counters: tuple[str, ...] = (),
        card: ModelCard | None = None,
        counted: tuple[Counted, ...] = (),
        threads: int = 1,
    ) -> None:
        self._threads = RowThreads(threads)
        self.counters, self.card, self.counted = counters, card, counted
        self.version, self.spec, self.scorer, self.explainer = version, spec, scorer, explainer
        self.columns, self.threshold, self.horizon = columns, threshold, horizon
        names = spec.names
        self.features = names if columns is None else tuple(names[index] for index in columns)

    @property
    def sent_metrics(self) -> tuple[str, ...]:
        """The metrics that samples have: without those that count messages and events."""
        counted = {name for columns in self.counted for name in columns.names}
        return tuple(name for name in self.spec.metrics if name not in counted)

    def select(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the model's columns of n × spec features."""
        return features if self.columns is None else np.ascontiguousarray(features[:, self.columns])

    def score(self, selected: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the risks (0..1) of n × model features."""
        return self.scorer.score(selected)

    def both(self, selected: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return risks and probabilities (0..1) of n × model features; NaN probabilities if not calibrated."""
        risks, probabilities = _joined(self._threads.map(self.scorer.both, selected))
        return risks, probabilities

    def assess(self, selected: npt.NDArray[np.float64]) -> Assessed:
        """Return risks and probabilities as :meth:`both` does, and approximate contributions to them."""
        return Assessed(*_joined(self._threads.map(self.scorer.assess, selected)))

    def reasons(
        self,
        selected: npt.NDArray[np.float64],
        exact: npt.NDArray[np.int64],
        contributions: npt.NDArray[np.float64] | None = None,
    ) -> list[list[Reason]]:
        """Return the features that raised each risk most.

        Parameters
        ----------
        selected : float64 array, n × model features
            The feature vectors.
        exact : int64 array
            The rows that need exact contributions, and the values in words.
        contributions : float64 array, n × model features, optional
            The approximate contributions, if they are known; those of exact rows are replaced.
        """
        if len(selected) == 0:
            return []
        if contributions is None:
            contributions = self.explainer.fast(selected)
        if len(exact):
            contributions[exact] = self.explainer.exact(selected[exact])
        indices, values = highest(contributions, REASONS)
        names = self.features
        reasons = [
            [Reason(names[index], value) for index, value in zip(row, shares, strict=True) if value > 0]
            for row, shares in zip(indices.tolist(), values.tolist(), strict=True)
        ]
        for row in exact.tolist():
            for index, reason in zip(indices[row].tolist(), reasons[row], strict=False):
                reason.text = self.explainer.describe(index, float(selected[row, index]))
        return reasons


def load_model(champion: Champion) -> ServedModel:
    """Load a model folder for serving.

    Raises
    ------
    NetopsError
        If the folder has no valid model.
    """
    threads = min(cpus(), _THREADS)
    explainer = Explainer(champion.path, threads)
    scorer = Assessor(champion.path, explainer)
    card = scorer.card
    spec = FeatureSpec.from_dict(card.spec)
    columns = None if card.features == spec.names else card.indices(spec.names)
    threshold = UNREACHABLE if card.threshold is None else float(card.threshold)
    counters = tuple(card.data.get("counters") or ())
    counted: list[Counted] = [LogColumns.from_dict(card.logs)] if card.logs else []
    counted += [EventColumns.from_dict(card.events)] if card.events else []
    model = ServedModel(
        champion.version,
        spec,
        scorer,
        explainer,
        columns,
        threshold,
        card.horizon,
        counters,
        card,
        tuple(counted),
        threads,
    )
    # Warm up: the first call allocates buffers and loads kernels. No request should wait for it.
    blank = np.zeros((2, len(card.features)))
    model.both(blank)
    model.reasons(blank, np.array([0]), model.assess(blank).contributions)
    return model


def _joined(pieces: Sequence[Sequence[npt.NDArray[np.float64]]]) -> Sequence[npt.NDArray[np.float64]]:
    return pieces[0] if len(pieces) == 1 else [np.concatenate(columns) for columns in zip(*pieces, strict=True)]
