"""Run requests through the serving graph of MLRun, in the Nuclio function."""

from mlrun.serving.server import GraphServer

from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.samples import Answer, BodyError, Samples
from netops.serving.requests.endpoints.telemetry import TELEMETRY
from netops.serving.requests.reply import JSON
from netops.serving.requests.service import ModelReply, Service


class Event:
    """A request of the graph, with the attributes of a Nuclio event."""

    __slots__ = ("body", "content_type", "error", "headers", "id", "key", "method", "path", "terminated", "typed")

    def __init__(
        self, body: object, path: str, method: str = "POST", content_type: str = "", typed: bool = False
    ) -> None:
        self.body, self.path, self.method, self.typed = body, path, method, typed
        # MLRun parses "application/json" itself; the parsing in the steps is faster.
        self.content_type = "raw" if content_type in ("", JSON) else content_type
        self.headers: dict[str, str] = {}
        self.id = self.key = ""
        self.error, self.terminated = None, False


class GraphService(Service):
    """Runs requests through the graph, as MLRun's tools for serving functions see it.

    Parameters
    ----------
    server : GraphServer
        The started graph.
    pipeline : Pipeline
        The pipeline behind its steps.
    """

    def __init__(self, server: GraphServer, pipeline: Pipeline) -> None:
        super().__init__(pipeline)
        self.server = server

    def infer(self, body: object, path: str, method: str) -> tuple[int, ModelReply]:
        """Query the model; return status and answer."""
        answer = self.server.run(Event(body or None, path, method), get_body=True)
        if hasattr(answer, "status_code"):
            return answer.status_code, answer.body
        return 200, answer

    def _run(self, samples: Samples) -> list[Answer]:
        answers: list[Answer] = self.server.run(Event(samples, TELEMETRY.path, typed=True), get_body=True)
        if not isinstance(answers, list):
            raise BodyError(str(getattr(answers, "body", answers))[:300], 500)
        return answers
