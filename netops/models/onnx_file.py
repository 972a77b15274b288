"""Model folders: ``model.onnx`` and ``card.json``, reading them executes no code.

The input is ``features``, float64 n × F, raw and NaN where unknown; the output is ``risk``, float32 n; a
calibrated one also has ``probability``, float32 n. Alerts use the risk, which is independent of the calibration.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.models.card import ModelCard, read_card, write_card
from netops.models.fitted import Fitted
from netops.models.onnx_graph import Graph
from netops.models.platt import Platt
from netops.models.scaling import Scaling

if TYPE_CHECKING:
    from onnx import ModelProto

MODEL_FILE = "model.onnx"
FEATURES, RISK, PROBABILITY = "features", "risk", "probability"
#: Rows scored at once: enough to use the processor fully, few enough to fit into its caches.
CHUNK = 8_192


def build_model(scaling: Scaling, fitted: Fitted) -> bytes:
    """Convert a fitted model with its scaling to one ONNX file.

    Returns
    -------
    bytes
        The same model gives the same bytes.
    """
    from onnx import TensorProto, helper

    graph = Graph()
    odds = fitted.build(graph, scaling.build(graph, FEATURES))
    graph.add("Squeeze", graph.add("Sigmoid", odds), graph.constant("last_axis", np.array([1])), output=RISK)
    features = helper.make_tensor_value_info(FEATURES, TensorProto.DOUBLE, ["rows", len(scaling.centre)])
    risk = helper.make_tensor_value_info(RISK, TensorProto.FLOAT, ["rows"])
    model = graph.finish([features], [risk], "netops")
    return bytes(model.SerializeToString(deterministic=True))


def calibrated(model: bytes, calibration: Platt) -> bytes:
    """Add the probability output to a model file; the nodes of the risk are unchanged.

    Returns
    -------
    bytes
        The same model and calibration give the same bytes.
    """
    import onnx
    from onnx import TensorProto, helper

    made, graph = onnx.load_from_string(model), Graph("calibration_")
    calibration.build(graph, RISK, PROBABILITY)
    graph.extend(made, [helper.make_tensor_value_info(PROBABILITY, TensorProto.FLOAT, ["rows"])])
    return bytes(made.SerializeToString(deterministic=True))


def _import_onnxruntime() -> ModuleType:
    """Import the library with its telemetry off, unless ``ORT_DISABLE_TELEMETRY`` is set.

    Since version 1.32 it stores an identifier of the machine and reports each session to its vendor. It reads the
    variable once, in the first session of a process.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


class LoadedGraph:
    """An ONNX graph, loaded by onnxruntime.

    Parameters
    ----------
    model : bytes or Path
        The file.
    threads : int
        Number of threads per call.

    Attributes
    ----------
    inputs : dict
        Name → columns.
    outputs : list of str

    Raises
    ------
    NetopsError
        If it cannot be loaded.
    """

    def __init__(self, model: bytes | Path, threads: int = 1) -> None:
        onnxruntime = _import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        source = model if isinstance(model, bytes) else str(model)
        try:
            session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
            self.inputs = {entry.name: int(entry.shape[1]) for entry in session.get_inputs()}
        except Exception as error:
            reason = str(error).splitlines()[0]
            raise NetopsError(f"{_named(model)}: cannot be read as a model: {reason}") from error
        self.outputs = [output.name for output in session.get_outputs()]
        self._run = session.run
        # Nodes that only other outputs need are excluded.
        self._options = onnxruntime.RunOptions()
        self._options.only_execute_path_to_fetches = True

    def run(self, names: list[str], inputs: Mapping[str, npt.NDArray[Any]]) -> list[npt.NDArray[np.float64]]:
        """Compute outputs: n values each, as float64."""
        return [values.astype(np.float64) for values in self._run(names, inputs, self._options)]


def _named(model: bytes | Path) -> str:
    return "model" if isinstance(model, bytes) else str(model)


class Session:
    """A loaded model file that scores with a fixed number of threads."""

    def __init__(self, model: bytes | Path, threads: int = 1) -> None:
        self._graph = LoadedGraph(model, threads)
        inputs = self._graph.inputs
        if list(inputs) != [FEATURES] or RISK not in self._graph.outputs:
            raise NetopsError(f"{_named(model)}: expected one input '{FEATURES}' and an output '{RISK}'")
        self.width = inputs[FEATURES]
        self.calibrated = PROBABILITY in self._graph.outputs

    def score(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Score n × F raw features: n risks in 0..1."""
        return self._outputs([RISK], features)[0]

    def both(self, features: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Score n × F raw features: n risks and n probabilities in 0..1, the latter NaN if not calibrated."""
        if not self.calibrated:
            risks = self.score(features)
            return risks, np.full(len(risks), np.nan)
        risks, probabilities = self._outputs([RISK, PROBABILITY], features)
        return risks, probabilities

    def _outputs(self, names: list[str], features: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
        if len(features) <= CHUNK:
            return self._graph.run(names, {FEATURES: features})
        starts = range(0, len(features), CHUNK)
        pieces = [self._outputs(names, features[start : start + CHUNK]) for start in starts]
        return [np.concatenate(values) for values in zip(*pieces, strict=True)]


class Scorer:
    """A model folder, opened for scoring.

    Parameters
    ----------
    folder : Path
        Holds ``model.onnx`` and ``card.json``.
    threads : int
        Number of threads per call.

    Raises
    ------
    NetopsError
        If the folder does not contain a model, or the model does not match its card.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.folder = Path(folder)
        self.card: ModelCard = read_card(self.folder)
        if not (self.folder / MODEL_FILE).is_file():
            raise NetopsError(f"{folder}: not a model folder ({MODEL_FILE} is missing)")
        self._session = Session(self.folder / MODEL_FILE, threads)
        if self._session.width != len(self.card.features):
            raise NetopsError(
                f"{folder}: the model takes {self._session.width} features, "
                f"its card names {len(self.card.features)}"
            )

    def score(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Score feature vectors.

        Parameters
        ----------
        features : float64 array, n × F
            Columns as in ``card.features``; raw, NaN where unknown.

        Returns
        -------
        float64 array, n
            Risks in 0..1.
        """
        return self._session.score(np.ascontiguousarray(features, np.float64))

    def both(self, features: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Score feature vectors, and return the probability of a failure within the horizon.

        Parameters
        ----------
        features : float64 array, n × F
            As for :meth:`score`.

        Returns
        -------
        tuple of two float64 arrays, n
            Risks, those that :meth:`score` gives, and probabilities in 0..1: NaN from a model without calibration.
        """
        return self._session.both(np.ascontiguousarray(features, np.float64))


def save_model(folder: Path, model: bytes, card: ModelCard) -> None:
    """Write a model folder atomically; an existing one is replaced."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        (draft / MODEL_FILE).write_bytes(model)
        write_card(draft, card)
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def load_model(folder: Path) -> "ModelProto":
    """Read the ONNX model of a model folder, for explanations."""
    import onnx

    try:
        return onnx.load(str(folder / MODEL_FILE), load_external_data=False)
    except Exception as error:
        raise NetopsError(f"{folder / MODEL_FILE}: cannot be read as a model: {error}") from error
