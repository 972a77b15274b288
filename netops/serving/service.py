"""Requests through the serving graph: what the HTTP server and a worker of the Nuclio function have in common."""

import asyncio
from typing import Any

import msgspec
from mlrun.serving.server import GraphServer

from netops.serving.endpoints import JSON
from netops.serving.pipeline import Pipeline
from netops.serving.samples import Answer, BodyError, Samples
from netops.serving.work import SLICE

_ENCODER = msgspec.json.Encoder()


class Event:
    """A request as the graph takes it: what a Nuclio event has, and no more."""

    __slots__ = ("body", "content_type", "error", "headers", "id", "key", "method", "path", "terminated", "typed")

    def __init__(
        self, body: Any, path: str, method: str = "POST", content_type: str = "", typed: bool = False
    ) -> None:
        self.body, self.path, self.method, self.typed = body, path, method, typed
        # MLRun parses what says plain "application/json" by itself; the steps do that quicker.
        self.content_type = "raw" if content_type in ("", JSON) else content_type
        self.headers: dict[str, str] = {}
        self.id = self.key = ""
        self.error, self.terminated = None, False


class Service:
    """Runs requests through the graph.

    Parameters
    ----------
    server : GraphServer
        The started graph.
    pipeline : Pipeline
        The pipeline behind its steps.
    """

    def __init__(self, server: GraphServer, pipeline: Pipeline) -> None:
        self.server, self.pipeline, self.runtime = server, pipeline, pipeline.runtime

    async def take(self, body: Any, content_type: str) -> bytes:
        """Take the samples of a body; give the answers as JSON.

        A large body goes through the graph slice by slice, and other requests get their turn in between.
        """
        samples = self.pipeline.read(body, content_type)
        answers = await self.run(samples)
        return _ENCODER.encode(answers[0] if samples.single else answers)

    async def run(self, samples: Samples) -> list[Answer]:
        """Take samples that have been read; give their answers."""
        answers: list[Answer] = []
        if len(samples) <= SLICE:
            answers = self._run(samples)
        else:
            for part in samples.slices(SLICE):
                answers += self._run(part)
                await asyncio.sleep(0)
        if self.runtime.replay.due:  # before the samples are answered
            await asyncio.to_thread(self.runtime.replay.write)
        return answers

    def infer(self, body: Any, path: str, method: str) -> tuple[int, Any]:
        """Ask the model: status and answer."""
        answer = self.server.run(Event(body or None, path, method), get_body=True)
        if hasattr(answer, "status_code"):
            return answer.status_code, answer.body
        return 200, answer

    def _run(self, samples: Samples) -> list[Answer]:
        answers: list[Answer] = self.server.run(Event(samples, "/telemetry", typed=True), get_body=True)
        if not isinstance(answers, list):
            raise BodyError(str(getattr(answers, "body", answers))[:300], 500)
        return answers
