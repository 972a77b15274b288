"""Scores and explains samples with one walk down the trees of a model.

Trees take most of the time of a model file in onnxruntime, and explanations go down the same trees again. Here
compiled code goes down them once (see ``contributions.of_trees``), and onnxruntime computes what follows in the
file. Risks and probabilities are those of the file to the bit; that is checked when a model is loaded.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from netops.models.card import ModelCard
from netops.models.contributions.of_trees import Sums
from netops.models.explanation import Explainer
from netops.models.onnx_file import FEATURES, PROBABILITY, RISK, LoadedGraph, Scorer, load_model
from netops.models.onnx_graph import needed
from netops.models.trees import OPERATOR

if TYPE_CHECKING:
    from onnx import ModelProto

_LOG = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]
#: Rows whose risks are compared when a model is loaded.
_COMPARED = 200
#: Rows up to which onnxruntime alone is quicker.
_FEW = 8


class Assessed(NamedTuple):
    """Risks, probabilities (NaN if not calibrated), and quick contributions: n, n, n × F float64 arrays."""

    risks: Floats
    probabilities: Floats
    contributions: Floats


class Assessor:
    """A model folder, opened for scoring and explaining.

    Parameters
    ----------
    folder : Path
        The model folder.
    explainer : Explainer
        Of the same folder.

    Raises
    ------
    NetopsError
        If the folder does not contain a model, or the model does not match its card.
    """

    def __init__(self, folder: Path, explainer: Explainer) -> None:
        self._explainer, whole = explainer, Scorer(folder)
        self.card: ModelCard = whole.card
        self._whole = whole
        self._model: Scorer | _Rest = whole
        rest = _Rest.of(folder, explainer)
        if rest is not None:
            samples = _samples(explainer)
            if _equal(rest.both(samples), whole.both(samples)):
                self._model = rest
            else:
                _LOG.warning("%s: compiled trees give other risks than onnxruntime, which is used instead", folder)

    def score(self, features: Floats) -> Floats:
        """Return the risks of n × F raw features."""
        return self._scoring(features).score(np.ascontiguousarray(features, np.float64))

    def both(self, features: Floats) -> tuple[Floats, Floats]:
        """Return risks and probabilities of n × F raw features."""
        return self._scoring(features).both(np.ascontiguousarray(features, np.float64))

    def _scoring(self, features: Floats) -> "Scorer | _Rest":
        return self._whole if len(features) <= _FEW else self._model

    def assess(self, features: Floats) -> Assessed:
        """Return risks, probabilities and quick contributions of n × F raw features."""
        features = np.ascontiguousarray(features, np.float64)
        contributions, sums = self._explainer.walk(features)
        if isinstance(self._model, _Rest):
            return Assessed(*self._model.after(sums, features), contributions)
        return Assessed(*self._model.both(features), contributions)


class _Rest:
    """A model file without its trees: their outputs are inputs of it."""

    def __init__(self, graph: LoadedGraph, names: list[str], explainer: Explainer) -> None:
        self._graph, self._names, self._explainer = graph, names, explainer
        self._needs_features = FEATURES in graph.inputs
        self._calibrated = PROBABILITY in graph.outputs

    @classmethod
    def of(cls, folder: Path, explainer: Explainer) -> "_Rest | None":
        """Take the trees out of a file; None if it has none."""
        model = load_model(folder)
        names = [node.output[0] for node in model.graph.node if node.op_type == OPERATOR]
        if not names:
            return None
        _cut(model, names)
        return cls(LoadedGraph(model.SerializeToString()), names, explainer)

    def score(self, features: Floats) -> Floats:
        return self._run([RISK], self._explainer.sums(features), features)[0]

    def both(self, features: Floats) -> tuple[Floats, Floats]:
        return self.after(self._explainer.sums(features), features)

    def after(self, sums: Sequence[Sums], features: Floats) -> tuple[Floats, Floats]:
        """Return risks and probabilities from the outputs of the trees."""
        if not self._calibrated:
            return self._run([RISK], sums, features)[0], np.full(len(features), np.nan)
        risks, probabilities = self._run([RISK, PROBABILITY], sums, features)
        return risks, probabilities

    def _run(self, outputs: list[str], sums: Sequence[Sums], features: Floats) -> list[Floats]:
        inputs: dict[str, npt.NDArray[Any]] = dict(zip(self._names, sums, strict=True))
        if self._needs_features:
            inputs[FEATURES] = features
        return self._graph.run(outputs, inputs)


def _cut(model: "ModelProto", names: list[str]) -> None:
    """Make outputs of nodes inputs of a model, and remove what no output needs any longer."""
    from onnx import TensorProto, helper

    graph = model.graph
    nodes, constants, used = needed(graph, {output.name for output in graph.output}, given=names)
    inputs = [entry for entry in graph.input if entry.name in used]
    inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 1]) for name in names]
    for field, values in (("node", nodes), ("input", inputs), ("initializer", constants)):
        graph.ClearField(field)
        getattr(graph, field).extend(values)


def _samples(explainer: Explainer) -> Floats:
    """Make samples around what is usual, with missing and extreme values."""
    random = np.random.default_rng(0)
    shape = _COMPARED, len(explainer.names)
    samples = random.normal(explainer.levels, 3 * explainer.spreads, shape)
    samples[random.random(shape) < 0.05] = np.nan
    samples[random.random(shape) < 0.01] = np.inf
    samples[random.random(shape) < 0.01] = -1e300
    return samples


def _equal(some: tuple[Floats, Floats], others: tuple[Floats, Floats]) -> bool:
    return all(np.array_equal(one, other, equal_nan=True) for one, other in zip(some, others, strict=True))
