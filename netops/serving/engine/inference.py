"""Score feature vectors that were sent, in MLRun's V2 model protocol."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from netops.config.durations import SECOND
from netops.models.card import ModelCard
from netops.serving.engine.samples import BodyError

#: Name of the model in requests and answers.
MODEL_NAME = "netops"


class Scores(Protocol):
    """A loaded model that scores feature vectors."""

    card: ModelCard

    def score(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the risks of n × F raw features."""


def infer(scorer: Scores, version: str, request: object) -> dict[str, object]:
    """Return the risks of feature vectors.

    Parameters
    ----------
    scorer : Scores
        Of the champion.
    version : str
    request : dict
        ``inputs``: rows × features, in the order of the card; null counts as unknown. ``id`` is returned.

    Raises
    ------
    BodyError
        400 if the inputs are not a matrix of that width.
    """
    since = datetime.now(UTC)
    content = with_inputs(request)
    try:
        matrix = matrix_of(content["inputs"], len(scorer.card.features))
    except ValueError as error:
        raise BodyError(str(error), 400) from None
    return {
        "id": content.get("id", ""),
        "model_name": MODEL_NAME,
        "outputs": scorer.score(matrix).tolist(),
        "timestamp": since.isoformat(sep=" ", timespec="microseconds"),
        "model_version": version,
    }


def with_inputs(request: object) -> Mapping[str, object]:
    """Return a request, which must have inputs.

    Raises
    ------
    BodyError
        400 if it has none.
    """
    if isinstance(request, Mapping) and isinstance(request.get("inputs"), list):
        return request
    raise BodyError('inputs: missing; send {"inputs": [[…], …]}', 400)


def matrix_of(rows: object, width: int) -> npt.NDArray[np.float64]:
    """Convert rows of numbers.

    Raises
    ------
    ValueError
        If they are not a matrix of this width.
    """
    try:
        matrix = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):  # an integer beyond float64 overflows
        raise ValueError("inputs: expected rows of numbers of one length") from None
    matrix = matrix.reshape(0, width) if matrix.size == 0 else matrix
    if matrix.ndim != 2 or matrix.shape[1] != width:
        raise ValueError(f"inputs: expected rows of {width} features, found {matrix.shape}")
    return matrix


def describe(card: ModelCard, version: str) -> dict[str, object]:
    """Return the inputs and outputs of a model."""
    return {
        "version": version,
        "threshold": card.threshold,
        "horizon_seconds": card.horizon / SECOND,
        "features": list(card.features),
        "inputs": [{"name": name, "value_type": "float"} for name in card.features],
        "outputs": [{"name": "risk", "value_type": "float"}],
    }
