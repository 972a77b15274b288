"""Run requests on the champion and the state of the devices, with other requests in between."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, cast

import msgspec
import numpy as np

from netops.json_types import Json, JsonDict
from netops.serving.engine.inference import MODEL_NAME, describe, infer
from netops.serving.engine.pipeline import REMOTE_WRITE_TYPE, Pipeline
from netops.serving.engine.samples import Answer, BodyError, Samples, join
from netops.serving.engine.work import SLICE
from netops.serving.logs.log_devices import samples_of
from netops.serving.requests.joined import JoinedRequests

#: An answer of the model: risks, its description, or an error.
ModelReply: TypeAlias = dict[str, object]
_ENCODER = msgspec.json.Encoder()
#: Maximum bytes of a body that is parsed on the event loop; larger ones are parsed in a thread.
INLINE = 4096
_READER = ThreadPoolExecutor(1, "read")


def _decoded(body: bytes | str) -> Json:
    try:
        return cast(Json, msgspec.json.decode(body))
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None


class Service:
    """Runs requests.

    Parameters
    ----------
    pipeline : Pipeline
        The steps of a request.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline, self.runtime = pipeline, pipeline.runtime
        self._is_scoring = False
        self._joined = JoinedRequests(self._run_joined)

    async def process(self, body: object, content_type: str) -> bytes:
        """Process the samples of a body; return the answers as JSON.

        A large body is processed in slices, with other requests in between.
        """
        samples = await self._read(body, content_type)
        answers = await self.run(samples)
        return _ENCODER.encode(answers[0] if samples.single else answers)

    async def run(self, samples: Samples) -> list[Answer]:
        """Process parsed samples; return the answers."""
        if len(samples) == 1 and not samples.is_made:
            answers = await self._joined.run(samples)
        else:
            answers = await self._run_parts(samples)
        if self.runtime.replay.due:  # before the samples are answered
            await asyncio.to_thread(self.runtime.replay.write)
        return answers

    async def score_log_devices(self) -> None:
        """Score the devices without metrics for which it is time; remove those that have not sent messages."""
        if self._is_scoring:
            return
        self._is_scoring, state = True, self.runtime.state
        try:
            while due := state.log_devices.due(state.clock.newest):
                await self.run(samples_of(due, state.table.names, self.runtime.model.spec.metrics))
            if forgotten := state.log_devices.forgotten():
                state.drop(forgotten)
        finally:
            self._is_scoring = False

    async def _run_parts(self, samples: Samples) -> list[Answer]:
        """Process a request in slices; late samples beyond the limit are rejected."""
        state, remaining = self.runtime.state, self.runtime.settings.limits.late
        late = state.late(samples)
        bounds = state.slices(samples, late, SLICE)
        answers: list[Answer] = []
        for start, part in zip(bounds, samples.cut(bounds), strict=False):
            if start:
                await asyncio.sleep(0)
            rows = np.flatnonzero(late[start : start + len(part)]).tolist()
            self.pipeline.reject_late(self.pipeline.converted(part), rows[remaining:])
            found = self._run(part)
            # Duplicates are cheap and do not count, since a replay after a crash may have any number.
            remaining -= sum(found[row].status == "scored" for row in rows[:remaining])
            answers += found
        return answers

    async def _read(self, body: object, content_type: str) -> Samples:
        if not isinstance(body, bytes) or (len(body) <= INLINE and content_type != REMOTE_WRITE_TYPE):
            return self.pipeline.read(body, content_type)
        loop = asyncio.get_running_loop()
        return self.pipeline.admit(await loop.run_in_executor(_READER, self.pipeline.parse, body, content_type))

    async def score(self, body: object, path: str) -> tuple[int, ModelReply]:
        """Score feature vectors, in slices if there are many; return status and answer."""
        if not isinstance(body, bytes) or len(body) <= INLINE:
            return self.infer(body, path, "POST")
        request = await asyncio.get_running_loop().run_in_executor(_READER, _decoded, body)
        rows = request.get("inputs") if isinstance(request, dict) else None
        limit = self.runtime.settings.limits.batch
        if not isinstance(request, dict) or not isinstance(rows, list) or len(rows) <= SLICE:
            return self.infer(body if rows is None else request, path, "POST")
        if len(rows) > limit:
            raise BodyError(f"{len(rows)} rows in one request; the limit is {limit}", 413)
        return await self._score_slices(request, rows, path)

    async def _score_slices(self, request: JsonDict, rows: list[Json], path: str) -> tuple[int, ModelReply]:
        """Score all rows with one version: if the champion changes meanwhile, score them again."""
        while True:
            outputs: list[float] = []
            versions = set()
            for start in range(0, len(rows), SLICE):
                part = request | {"inputs": rows[start : start + SLICE]}
                status, answer = self.infer(part, path, "POST")
                if status != 200:
                    return status, answer
                outputs += cast(list[float], answer["outputs"])
                versions.add(answer.get("model_version"))
                await asyncio.sleep(0)
            if len(versions) == 1:
                return 200, answer | {"outputs": outputs}

    def infer(self, body: object, path: str, method: str) -> tuple[int, ModelReply]:
        """Query the model; return status and answer."""
        model = self.runtime.model
        if method == "GET":
            return 200, {"name": MODEL_NAME, **describe(model.scorer.card, model.version)}
        try:
            request = _decoded(body) if isinstance(body, bytes | str) else body
            return 200, infer(model.scorer, model.version, request)
        except BodyError as error:
            return error.status, {"error": str(error)}

    def _run_joined(self, parts: Sequence[Samples]) -> list[Answer]:
        # Those that were read for an earlier champion may have other metrics.
        return self._run(join([self.pipeline.converted(part) for part in parts]))

    def _run(self, samples: Samples) -> list[Answer]:
        return self.pipeline.process(self.pipeline.validate(samples)).answers()
