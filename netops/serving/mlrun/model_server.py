"""The champion with MLRun's V2 model protocol: ``/v2/models/<name>/infer`` for feature vectors."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlrun.artifacts
import numpy as np
import numpy.typing as npt
from mlrun.errors import MLRunInvalidArgumentError
from mlrun.serving import V2ModelServer

from netops.config.durations import SECOND
from netops.scratch import scratch_folder

if TYPE_CHECKING:
    from netops.models.onnx_file import Scorer

MODEL_FILE, CARD_FILE = "model.onnx", "card.json"


class OnnxModel(V2ModelServer):
    """Scores feature vectors with a model folder (``model.onnx`` and ``card.json``); nothing is unpickled.

    ``model_path`` is the folder, or the ``store://`` address of its model artifact. Alternatively, pass a
    ``scorer``.
    """

    def __init__(self, *args: Any, scorer: "Scorer | None" = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scorer = scorer
        self.version: str | None = None
        self.ready = scorer is not None

    def load(self) -> None:
        """Load the model folder at ``model_path``."""
        from netops.models.onnx_file import Scorer

        self.scorer = Scorer(local_folder(str(self.model_path)))

    def predict(self, request: dict[str, Any]) -> list[float]:
        """Score feature vectors.

        Parameters
        ----------
        request : dict
            ``inputs``: rows × features, in the order of the card; null counts as unknown.

        Returns
        -------
        list of float
                One risk (0..1) per row.

        Raises
        ------
        MLRunInvalidArgumentError
            If the inputs are not a matrix of that width (answered with status 400).
        """
        return self.loaded.score(self._matrix(request["inputs"])).tolist()

    def do_event(self, event: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer a request; the model description includes features, version and threshold."""
        event = super().do_event(event, *args, **kwargs)
        if isinstance(event.body, dict):
            event.body["model_version"] = self.version or self.loaded.card.version
            if "inputs" in event.body:
                event.body |= self.describe()
        return event

    def describe(self) -> dict[str, Any]:
        """Return the inputs and outputs of the model."""
        card = self.loaded.card
        return {
            "version": self.version or card.version,
            "threshold": card.threshold,
            "horizon_seconds": card.horizon / SECOND,
            "features": list(card.features),
            "inputs": [{"name": name, "value_type": "float"} for name in card.features],
            "outputs": [{"name": "risk", "value_type": "float"}],
        }

    @property
    def loaded(self) -> "Scorer":
        """The scorer, once the model is loaded."""
        if self.scorer is None:
            raise RuntimeError(f"model {self.name} is not loaded")
        return self.scorer

    def _matrix(self, rows: Any) -> npt.NDArray[np.float64]:
        width = len(self.loaded.card.features)
        try:
            matrix = np.array(rows, dtype=np.float64)
        except (TypeError, ValueError):
            raise MLRunInvalidArgumentError("inputs: expected rows of numbers of one length") from None
        matrix = matrix.reshape(0, width) if matrix.size == 0 else matrix
        if matrix.ndim != 2 or matrix.shape[1] != width:
            raise MLRunInvalidArgumentError(f"inputs: expected rows of {width} features, found {matrix.shape}")
        return matrix


def local_folder(model_path: str) -> Path:
    """Return the local folder of a model; download it if needed.

    Parameters
    ----------
    model_path : str
        A model folder, or the ``store://`` address of a model artifact.

    Returns
    -------
    Path
        The model folder, or a local copy of it.
    """
    if "://" not in model_path and (Path(model_path) / MODEL_FILE).is_file():
        return Path(model_path)
    model_file, _, extra = mlrun.artifacts.get_model(model_path, ".onnx")
    if (Path(model_file).parent / CARD_FILE).is_file() and Path(model_file).name == MODEL_FILE:
        return Path(model_file).parent
    return _gather(Path(model_file), extra)


def _gather(model_file: Path, extra: dict[str, Any]) -> Path:
    """Download a model file and its extra artifacts into a local folder."""
    if CARD_FILE not in extra:
        raise MLRunInvalidArgumentError(f"{model_file}: no {CARD_FILE} beside the model; log the whole folder")
    folder = scratch_folder()
    shutil.copy(model_file, folder / MODEL_FILE)
    for name, content in extra.items():
        content.download(str(folder / name))
    return folder
