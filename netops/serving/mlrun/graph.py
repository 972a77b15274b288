"""The serving graph: MLRun steps that wrap the pipeline, for HTTP, MLRun's mock server and Nuclio.

``dispatch`` routes by path: feature vectors go to the V2 model, queries are answered from the state, and samples
pass through ``validate → features → score → explain → alert``.
"""

import atexit
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec

from netops.alerting.settings import AlertSettings
from netops.config.binding import bind
from netops.models.card import read_card
from netops.serving.engine.champion import ChampionFile, FixedModel, ModelSource, ServedModel, load_model
from netops.serving.engine.inference import MODEL_NAME, with_inputs
from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.restore import adopt_replicas
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.engine.state_lock import StateInUseError
from netops.serving.folders import state_folder
from netops.serving.mlrun.model_folder import local_folder
from netops.serving.mlrun.model_server import OnnxModel
from netops.serving.mlrun.protocols import GraphContext, GraphEvent
from netops.serving.mlrun.registered import RegisteredChampion
from netops.serving.requests.dispatch import ask
from netops.serving.requests.endpoint import Request
from netops.serving.requests.endpoints.model import MODEL_PATH
from netops.serving.requests.endpoints.remote_write import REMOTE_WRITE
from netops.serving.requests.endpoints.telemetry import TELEMETRY
from netops.serving.requests.parameters import Query
from netops.serving.requests.reply import JSON
from netops.serving.settings import ServingSettings
from netops.serving.stream.running import in_free_slot, topic_of

#: Paths that accept samples; stream messages have the path "/".
SAMPLE_PATHS = ("", TELEMETRY.path, REMOTE_WRITE.path)
_VERSION = re.compile(r"/versions/([^/]+)")
#: Replicas that can share a state volume.
SLOTS = 64

_GIVEN: ContextVar[Runtime | None] = ContextVar("runtime", default=None)
_ATTRIBUTE = "netops_pipeline"


@contextmanager
def given(runtime: Runtime) -> Iterator[None]:
    """Let graphs that are started in this block use an existing runtime."""
    token = _GIVEN.set(runtime)
    try:
        yield
    finally:
        _GIVEN.reset(token)


def pipeline_of(context: GraphContext) -> Pipeline:
    """Return the pipeline that all steps of a graph share, and create it on first use.

    Parameters
    ----------
    context : GraphContext
        Its function parameters define what to serve: ``network``, ``model_path`` (folder, ``store://`` address or
        champion file; without one the champion in the registry of ``project``), ``state_path``, ``serving`` and
        ``alerting`` (sections of the configuration).
    """
    server = context.server
    if not hasattr(server, _ATTRIBUTE):
        setattr(server, _ATTRIBUTE, Pipeline(_GIVEN.get() or _runtime(context)))
    pipeline: Pipeline = getattr(server, _ATTRIBUTE)
    return pipeline


def _runtime(context: GraphContext) -> Runtime:
    network = _network(context)
    settings = bind(ServingSettings, context.get_param("serving"), "serving")
    alerting = bind(AlertSettings, context.get_param("alerting"), "alerting")
    if not context.is_mock:
        topic_of(settings.stream)  # fail before the model is loaded
    start = partial(Runtime, network, _source(network, context), settings, alerting)
    in_slot = in_free_slot if settings.stream.url else _start_in_free_slot
    return in_slot(state_path(context), start)


def _network(context: GraphContext) -> str:
    return context.get_param("network") or "demo"


def state_path(context: GraphContext) -> Path:
    """Return the state folder that all replicas of a function share."""
    network = _network(context)
    if path := context.get_param("state_path"):
        # A volume may be shared by several networks, and by a function and its canary.
        folder = Path(path) / network / (context.get_param("function") or "serving")
        if not folder.exists():
            adopt_replicas(Path(path), folder, network)
        return folder
    # A mock server must not change the state of a running server.
    return _temporary_folder() if context.is_mock else state_folder(network)


def _temporary_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="netops-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _start_in_free_slot(path: Path, start: Callable[[Path], Runtime]) -> Runtime:
    """Start in the first state folder that no other replica uses, since replica names change at each restart."""
    for slot in range(SLOTS - 1):
        try:
            return start(path / f"replica-{slot}")
        except StateInUseError:
            continue
    return start(path / f"replica-{SLOTS - 1}")


def _source(network: str, context: GraphContext) -> ModelSource:
    model_path = context.get_param("model_path")
    if not model_path or context.get_param("follow"):
        return RegisteredChampion(network, context.get_param("project") or "netops", fallback=model_path or "")
    if model_path.endswith(".json"):
        return ChampionFile(Path(model_path))
    folder = local_folder(model_path)
    return FixedModel(read_card(folder).version, folder)


class Step:
    """A step of the graph; MLRun passes its context and its name."""

    def __init__(self, context: GraphContext, name: str | None = None) -> None:
        self.context, self.name = context, name
        self.pipeline = pipeline_of(context)

    def answer(self, event: GraphEvent, body: object, status: int = 200, content_type: str = JSON) -> GraphEvent:
        """End the flow with an answer."""
        event.terminated = True
        event.body = body
        if status != 200 or content_type != JSON:
            event.body = self.context.Response(body=body, status_code=status, content_type=content_type)
        return event


class Dispatch(Step):
    """Routes by path: model, query or samples."""

    def __init__(self, context: GraphContext, name: str | None = None) -> None:
        super().__init__(context, name)
        self.model = OnnxModel(context=context, name=MODEL_NAME, scorer=self.pipeline.runtime.model.scorer)
        self._candidate: ServedModel | None = None

    def do_event(self, event: GraphEvent) -> GraphEvent:
        """Forward samples, answer other requests."""
        path, _, query = (event.path or "").partition("?")
        path = path.rstrip("/")
        if path in SAMPLE_PATHS:
            return event
        if path == MODEL_PATH or path.startswith(MODEL_PATH + "/"):
            return self._infer(event, path[len(MODEL_PATH) :])
        # Nuclio parses the query of an address, the mock server does not.
        return self._ask(event, path, getattr(event, "fields", None) or dict(parse_qsl(query, True)))

    def _infer(self, event: GraphEvent, operation: str) -> GraphEvent:
        try:
            event.path = self._choose(operation)
            if isinstance(event.body, (bytes, str)):
                event.body = msgspec.json.decode(event.body)
            if event.method != "GET":
                with_inputs(event.body)
            event = self.model.do_event(event)
        except Exception as error:  # noqa: BLE001
            # Errors of a request are only returned, not logged, so that a client cannot fill the disk.
            return self.answer(event, {"error": f"{error}"[:300]}, status=400)
        event.terminated = True
        return event

    def _choose(self, operation: str) -> str:
        """Select the champion, or the version in the path; return the path without the version."""
        if (named := _VERSION.match(operation)) is None:
            champion = self.pipeline.runtime.model
            self.model.scorer, self.model.version = champion.scorer, champion.version
            return operation
        version = named[1]
        if self._candidate is None or self._candidate.version != version:
            self._candidate = load_model(self.pipeline.runtime.source.find(version))
        self.model.scorer, self.model.version = self._candidate.scorer, version
        return operation[named.end() :]

    def _ask(self, event: GraphEvent, path: str, query: Query) -> GraphEvent:
        reply = ask(self.pipeline.runtime, Request(event.method or "GET", path, event.body, query=query))
        body = reply.body if isinstance(reply.body, bytes) else msgspec.to_builtins(reply.body)
        return self.answer(event, body, reply.status, reply.content_type)


class Validate(Step):
    """Reads the samples."""

    def do_event(self, event: GraphEvent) -> GraphEvent:
        """Convert the body to ``Work``."""
        try:
            event.body = self.pipeline.validate(event.body, event.content_type or "")
        except BodyError as error:
            return self.answer(event, {"error": str(error)}, status=error.status)
        return event


class Features(Step):
    """Updates the windows of the devices."""

    def do_event(self, event: GraphEvent) -> GraphEvent:
        """Add feature vectors to the work."""
        event.body = self.pipeline.features(event.body)
        return event


class Score(Step):
    """Scores with the champion."""

    def do_event(self, event: GraphEvent) -> GraphEvent:
        """Add risks to the work."""
        event.body = self.pipeline.score(event.body)
        return event


class Explain(Step):
    """Computes the reasons."""

    def do_event(self, event: GraphEvent) -> GraphEvent:
        """Add reasons to the work."""
        event.body = self.pipeline.explain(event.body)
        return event


class Alert(Step):
    """Opens and closes alerts, and creates the answers."""

    def do_event(self, event: GraphEvent) -> GraphEvent:
        """Convert the work to answers: an object for one sample, a list for a list."""
        work = self.pipeline.alert(event.body)
        answers = work.answers()
        if getattr(event, "typed", False):
            event.body = answers
        else:
            plain = msgspec.to_builtins(answers)
            event.body = plain[0] if work.samples.single else plain
        return event


#: Name and class of the steps, in order.
STEPS = {
    "dispatch": Dispatch,
    "validate": Validate,
    "features": Features,
    "score": Score,
    "explain": Explain,
    "alert": Alert,
}
