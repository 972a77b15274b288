"""The champion with MLRun's V2 model protocol: ``/v2/models/<name>/infer`` for feature vectors."""

from typing import TypedDict

from mlrun.errors import MLRunInvalidArgumentError
from mlrun.serving import V2ModelServer

from netops.models.onnx_file import Scorer
from netops.serving.engine.inference import Scores, describe, matrix_of
from netops.serving.mlrun.model_folder import local_folder
from netops.serving.mlrun.protocols import GraphContext, GraphEvent


class InferRequest(TypedDict):
    """A request of the V2 protocol."""

    inputs: list[list[float | None]]


class OnnxModel(V2ModelServer):
    """Scores feature vectors with a model folder (``model.onnx`` and ``card.json``); nothing is unpickled.

    ``model_path`` is the folder, or the ``store://`` address of its model artifact. Alternatively, pass a
    ``scorer``.
    """

    def __init__(
        self,
        context: GraphContext | None = None,
        name: str | None = None,
        model_path: str | None = None,
        scorer: Scores | None = None,
        **options: object,
    ) -> None:
        super().__init__(context, name, model_path, **options)
        self.scorer: Scores | None = scorer
        self.version: str | None = None
        self.ready = scorer is not None

    def load(self) -> None:
        """Load the model folder at ``model_path``."""
        self.scorer = Scorer(local_folder(str(self.model_path)))

    def predict(self, request: InferRequest) -> list[float]:
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
        try:
            matrix = matrix_of(request["inputs"], len(self.loaded.card.features))
        except ValueError as error:
            raise MLRunInvalidArgumentError(str(error)) from None
        return self.loaded.score(matrix).tolist()

    def do_event(self, event: GraphEvent, *args: object, **kwargs: object) -> GraphEvent:
        """Answer a request; the model description includes features, version and threshold."""
        event = super().do_event(event, *args, **kwargs)
        if isinstance(event.body, dict):
            event.body["model_version"] = self.version or self.loaded.card.version
            if "inputs" in event.body:
                event.body |= describe(self.loaded.card, event.body["model_version"])
        return event

    @property
    def loaded(self) -> Scores:
        """The scorer, once the model is loaded."""
        if self.scorer is None:
            raise RuntimeError(f"model {self.name} is not loaded")
        return self.scorer
