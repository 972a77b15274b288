"""Reasons: the features that raised the risk of a sample most, read from the model folder alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.features.spec import FeatureSpec
from netops.kernels import kernel
from netops.models.card import read_card
from netops.models.contributions.of_deviations import DeviationContributions
from netops.models.contributions.of_forest import ForestContributions
from netops.models.contributions.of_net import NetContributions
from netops.models.contributions.of_trees import Sums, TreeContributions
from netops.models.contributions.of_vote import Voice, VoteContributions
from netops.models.contributions.scaled import scaled
from netops.models.deviations import USUAL, Deviations
from netops.models.onnx_file import load_model
from netops.models.scaling import Scaling
from netops.models.trees import OPERATOR, Trees
from netops.models.vote import members_of
from netops.models.wording import Value, describe
from netops.threads import RowThreads

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

Scaled = npt.NDArray[np.float32]
Nodes = list["NodeProto"]
Constants = dict[str, npt.NDArray[Any]]
Features = npt.NDArray[np.float64]
Contributions = npt.NDArray[np.float64]
Walked = tuple[Contributions, list[Sums]]


class Reason(NamedTuple):
    """A feature, its contribution to the log-odds of the risk, and its value in words."""

    feature: str
    contribution: float
    text: str


TOP = 3


class _Model(Protocol):
    """What explains scaled features."""

    @property
    def expected(self) -> float: ...

    def walk(self, scaled: Scaled) -> Walked: ...

    def sums(self, scaled: Scaled) -> list[Sums]: ...

    def exact(self, scaled: Scaled) -> Contributions: ...


class _Explained(Protocol):
    """What explains raw features."""

    @property
    def expected(self) -> float: ...

    def walk(self, features: Features) -> Walked: ...

    def sums(self, features: Features) -> list[Sums]: ...

    def exact(self, features: Features) -> Contributions: ...


@dataclass(frozen=True)
class _Raw:
    """A model with its scaling."""

    scaling: Scaling
    model: _Model

    @property
    def expected(self) -> float:
        return self.model.expected

    def walk(self, features: Features) -> Walked:
        return self.model.walk(scaled(self.scaling, features))

    def sums(self, features: Features) -> list[Sums]:
        return self.model.sums(scaled(self.scaling, features))

    def exact(self, features: Features) -> Contributions:
        return self.model.exact(scaled(self.scaling, features))


class Explainer:
    """Explain the risks of a model.

    Parameters
    ----------
    folder : Path
        The model folder; only its two files are read.
    threads : int
        Number of threads per batch.

    Attributes
    ----------
    names : tuple of str
        The features.
    expected : float
        Log-odds before any feature is known: the mean of the training split for trees, the centre of the training
        data for the net. With the contributions of a sample it adds up to the log-odds of its risk, exactly for
        trees, roughly for the net (see :mod:`netops.models.contributions.of_net`).
    levels, spreads : float64 arrays, F
        Mean and standard deviation of each feature in the training data.

    Raises
    ------
    NetopsError
        If the folder does not contain a model, or it cannot be explained.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        card, graph = read_card(folder), load_model(folder).graph
        self.names = card.features
        self._model = _read(graph, len(self.names), str(folder))
        _, _, constants = members_of(graph)[0]
        # A model of deviations scales differences of features, too, and stores what is usual for the features.
        self.levels, self.spreads = (
            constants.get(f"{USUAL}{name}", constants[name]) for name in ("centre", "spread")
        )
        self._card = card
        self.expected = self._model.expected
        self._threads = RowThreads(threads)

    def fast(self, features: Features) -> Contributions:
        """Say, quickly, what each feature added to the log-odds of the risk.

        Parameters
        ----------
        features : float64 array, n × F
            Raw feature values, as for the model.

        Returns
        -------
        float64 array, n × F
            Path contributions of trees; input × gradient of a net.
        """
        return _joined(self._threads.map(lambda rows: self._model.walk(rows)[0], features))

    def walk(self, features: Features) -> Walked:
        """Return what :meth:`fast` and :meth:`sums` do, from one walk down the trees, in this thread."""
        return self._model.walk(features)

    def sums(self, features: Features) -> list[Sums]:
        """Return the outputs of the tree ensembles of the file, in this thread.

        Parameters
        ----------
        features : float64 array, n × F
            Raw feature values, as for the model.

        Returns
        -------
        list of float32 array, n × 1
            One for each ensemble of the file, in its order.
        """
        return self._model.sums(features)

    def exact(self, features: Features) -> Contributions:
        """Return what each feature added to the log-odds of the risk, some 300 times slower.

        Parameters
        ----------
        features : float64 array, n × F
            Raw feature values, as for the model.

        Returns
        -------
        float64 array, n × F
            Shapley values of trees; integrated gradients of a net.
        """
        return _joined(self._threads.map(self._model.exact, features))

    def describe(self, feature: int, value: float) -> str:
        """Describe the value of a feature (by index), compared with what is usual in the training data."""
        spec, level, spread = self._spec, float(self.levels[feature]), float(self.spreads[feature])
        found = spec.feature(self.names[feature])
        text = describe(Value(found, value, level, spread, spec.longest_window))
        return text.replace(found.metric, self._subject_of(found.metric), 1)

    def _subject_of(self, metric: str) -> str:
        """Return what a metric is called in a sentence: messages, if it counts those of some templates."""
        logs = self._card.logs
        if metric in logs.get("groups", {}):
            return "messages of templates that precede incidents"
        template = logs.get("texts", {}).get(metric)
        return metric if template is None else f"messages `{template}`"

    @cached_property
    def _spec(self) -> FeatureSpec:
        return FeatureSpec.from_dict(self._card.spec)

    def reasons(self, features: Features, *, exact: bool = False, top: int = TOP) -> list[list[Reason]]:
        """Return the features that raised the risk most.

        Parameters
        ----------
        features : float64 array, n × F
        exact : bool
            Use :meth:`exact` instead of :meth:`fast`.
        top : int
            Maximum number of features.

        Returns
        -------
        list of list of Reason
            One list per row, greatest contribution first, in log-odds; other features
            are omitted.
        """
        contributions = self.exact(features) if exact else self.fast(features)
        indices, values = highest(contributions, top)
        return [
            [
                Reason(self.names[index], value, self.describe(index, float(row[index])))
                for index, value in zip(chosen, those, strict=True)
                if value > 0
            ]
            for row, chosen, those in zip(features, indices.tolist(), values.tolist(), strict=True)
        ]


def _joined(pieces: Sequence[Contributions]) -> Contributions:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def highest(contributions: Contributions, top: int) -> tuple[npt.NDArray[np.int64], Contributions]:
    """Find the greatest contributions of each row.

    Returns
    -------
    int64 array, float64 array: n × top
        The features' indices and their contributions, greatest first; where a row has fewer features, 0 and 0.0.
    """
    return _highest(contributions, top)


@kernel
def _highest(contributions, top):  # type: ignore[no-untyped-def]
    count, width = contributions.shape
    indices, values = np.zeros((count, top), np.int64), np.zeros((count, top))
    for row in range(count):
        for feature in range(width):
            value, slot = contributions[row, feature], top
            while slot > 0 and value > values[row, slot - 1]:
                slot -= 1
            if slot < top:
                for index in range(top - 1, slot, -1):
                    indices[row, index], values[row, index] = indices[row, index - 1], values[row, index - 1]
                indices[row, slot], values[row, slot] = feature, value
    return indices, values


def _read(graph: "GraphProto", width: int, where: str) -> _Explained:
    members = members_of(graph)
    try:
        if deviations := Deviations.of(members[0][2]):
            return DeviationContributions(deviations)
        return _vote(members, width, where) if members[0][0] else _member(*members[0][1:], width, where)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise NetopsError(f"{where}: the model cannot be explained ({error!r}); train it again") from None


def _vote(members: list[tuple[str, Nodes, Constants]], width: int, where: str) -> VoteContributions:
    voices = []
    for _, nodes, constants in members:
        model = _member(nodes, constants, width, where)
        slope, intercept = (constants[f"calibration_{name}"].item() for name in ("slope", "intercept"))
        voices.append(Voice(model.expected, model.walk, model.sums, model.exact, slope, intercept))
    return VoteContributions(tuple(voices))


def _member(nodes: Nodes, constants: Constants, width: int, where: str) -> _Raw:
    if constants["centre"].shape != (width,) or constants["spread"].shape != (width,):
        raise NetopsError(f"{where}: the inputs of the model are not the {width} features of its card")
    fill = not np.isnan(constants["filling"])
    scaling = Scaling(constants["centre"], constants["spread"], constants["high"].item(), bool(fill))
    for node in nodes:
        if node.op_type == OPERATOR:
            trees = TreeContributions.of(Trees.parse(node, width))
            return _Raw(scaling, ForestContributions(trees) if "forest_smallest" in constants else trees)
    layers = [node.input[1:3] for node in nodes if node.op_type == "Gemm"]
    if layers:
        kernels, biases = (tuple(constants[layer[index]] for layer in layers) for index in (0, 1))
        return _Raw(scaling, NetContributions(kernels, biases))
    raise NetopsError(f"{where}: only tree ensembles, perceptrons and votes of them can be explained")
