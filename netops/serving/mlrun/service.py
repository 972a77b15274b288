"""Requests through the serving graph: what the HTTP server and a worker of the Nuclio function have in common."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
from mlrun.serving.server import GraphServer

from netops.serving.engine.pipeline import REMOTE_WRITE_TYPE, Pipeline
from netops.serving.engine.samples import Answer, BodyError, Samples
from netops.serving.engine.work import SLICE
from netops.serving.http.endpoints import JSON

_ENCODER = msgspec.json.Encoder()
#: Bytes of a body that are read on the event loop; longer ones are read by one thread beside it.
INLINE = 4096
_READER = ThreadPoolExecutor(1, "read")


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None


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
        samples = await self._read(body, content_type)
        answers = await self.run(samples)
        return _ENCODER.encode(answers[0] if samples.single else answers)

    async def run(self, samples: Samples) -> list[Answer]:
        """Take samples that have been read; give their answers."""
        answers = self._run(samples) if len(samples) == 1 else await self._run_parts(samples)
        if self.runtime.replay.due:  # before the samples are answered
            await asyncio.to_thread(self.runtime.replay.write)
        return answers

    async def _run_parts(self, samples: Samples) -> list[Answer]:
        """Run a request part by part; once as many late samples are scored as it may hold, the rest is rejected."""
        state, room = self.runtime.state, self.runtime.settings.limits.late
        late = state.late(samples)
        bounds = state.slices(samples, late, SLICE)
        answers: list[Answer] = []
        for start, part in zip(bounds, samples.cut(bounds), strict=False):
            if start:
                await asyncio.sleep(0)
            rows = np.flatnonzero(late[start : start + len(part)]).tolist()
            self.pipeline.refuse_late(part, rows[room:])
            found = self._run(part)
            # One that was sent again costs little: the replay after a crash may hold any number.
            room -= sum(found[row].status == "scored" for row in rows[:room])
            answers += found
        return answers

    async def _read(self, body: Any, content_type: str) -> Samples:
        if not isinstance(body, bytes) or (len(body) <= INLINE and content_type != REMOTE_WRITE_TYPE):
            return self.pipeline.read(body, content_type)
        loop = asyncio.get_running_loop()
        return self.pipeline.admit(await loop.run_in_executor(_READER, self.pipeline.parse, body, content_type))

    async def score(self, body: Any, path: str, method: str = "POST") -> tuple[int, Any]:
        """Score feature vectors, many of them slice by slice: status and answer."""
        if method != "POST" or not isinstance(body, bytes) or len(body) <= INLINE:
            return self.infer(body, path, method)
        request = await asyncio.get_running_loop().run_in_executor(_READER, _decoded, body)
        rows = request.get("inputs") if isinstance(request, dict) else None
        limit = self.runtime.settings.limits.batch
        if not isinstance(rows, list) or len(rows) <= SLICE:
            return self.infer(body if rows is None else request, path, method)
        if len(rows) > limit:
            raise BodyError(f"{len(rows)} rows in one request; the limit is {limit}", 413)
        return await self._score_slices(request, rows, path)

    async def _score_slices(self, request: dict[str, Any], rows: list[Any], path: str) -> tuple[int, Any]:
        """Have all rows scored by one version: a champion promoted meanwhile scores them anew."""
        while True:
            outputs: list[Any] = []
            versions = set()
            for start in range(0, len(rows), SLICE):
                part = request | {"inputs": rows[start : start + SLICE]}
                status, answer = self.infer(part, path, "POST")
                if status != 200:
                    return status, answer
                outputs += answer["outputs"]
                versions.add(answer.get("model_version"))
                await asyncio.sleep(0)
            if len(versions) == 1:
                return 200, answer | {"outputs": outputs}

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
