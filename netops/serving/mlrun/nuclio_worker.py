"""A worker of the Nuclio function.

It uses the code of the HTTP server: the same paths, methods, limits and bodies. With ``serving.stream.url`` it
reads the partitions of a Kafka topic like ``netops serve``, and Nuclio passes only requests. Samples of a v3io
stream come as messages of a trigger; they have no path and no token, and their answers are discarded.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

from mlrun.runtimes import nuclio_init_hook
from mlrun.serving.server import GraphServer

from netops.config.durations import SECOND
from netops.serving.engine.assignment import Assignment
from netops.serving.engine.background import refresh, save, tune_interpreter
from netops.serving.engine.fleet_state import compile_kernels
from netops.serving.engine.shared_state import FolderState
from netops.serving.folders import PARTITIONS
from netops.serving.mlrun.graph import pipeline_of, state_path
from netops.serving.mlrun.protocols import GraphResponse, NuclioEvent, Platform
from netops.serving.mlrun.service import GraphService
from netops.serving.mlrun.triggers import STREAMS, TERMINATION
from netops.serving.requests.access import TOKEN, Access, read_token
from netops.serving.requests.dispatch import Dispatcher, replied
from netops.serving.requests.endpoint import Request
from netops.serving.requests.reply import Reply
from netops.serving.stream.running import running, topic_of

_LOG = logging.getLogger(__name__)
_CLOSED = f"the function has no {TOKEN}, so it rejects HTTP requests: set it and deploy again"


class NuclioContext(Protocol):
    """The context that Nuclio passes to a worker, and MLRun puts the graph into."""

    Response: type[GraphResponse]
    platform: Platform
    netops: "Worker"
    _server: GraphServer


def init_context(context: NuclioContext) -> None:
    """Start the graph in a worker (called by Nuclio once, in its event loop)."""
    _disable_json_parsing()
    nuclio_init_hook(context, {"handler": handler}, "serving_v2")  # MLRun logs everything passed here
    graph = context._server.context
    context.netops = Worker(GraphService(context._server, pipeline_of(graph)), state_path(graph))
    context.netops.start()
    if hasattr(context.platform, "set_termination_callback"):
        context.platform.set_termination_callback(context.netops.stop)


async def handler(context: NuclioContext, event: NuclioEvent) -> GraphResponse:
    """Answer one message (called by Nuclio for each), always with a response: an empty list ends the processor."""
    reply = await context.netops.answer(event)
    body = reply.encoded().decode()
    return context.Response(
        headers=dict(reply.headers), body=body, status_code=reply.status, content_type=reply.content_type
    )


def _disable_json_parsing() -> None:
    """Disable JSON parsing in Nuclio's SDK.

    Our parser is faster and rejects malformed samples individually. A body parsed by the SDK is accepted too.
    """
    from nuclio_sdk import event  # type: ignore[import-untyped]

    if hasattr(reader := getattr(event, "_EventDeserializer", None), "_try_deserialize_json"):
        setattr(reader, "_try_deserialize_json", staticmethod(lambda body: body))  # noqa: B010 - the SDK has no option


class Worker:
    """Answers messages; saves the state and refreshes the champion in the background.

    Parameters
    ----------
    service : Service
        The started graph, and the runtime behind it.
    state : Path
        The state folder that all replicas share.
    """

    def __init__(self, service: GraphService, state: Path) -> None:
        self.service, self.runtime = service, service.runtime
        self._topic, self._state = topic_of(self.runtime.settings.stream), state
        #: The shards that the trigger of a v3io stream reads; None with a topic, whose partitions have the state.
        self.assignment = None if self._topic else Assignment(self.runtime.folder, TERMINATION / SECOND)
        if self.runtime.settings.stream.peers:
            # A replica that asks another is busy meanwhile: two that ask each other would wait until the timeout.
            _LOG.warning(
                "serving.stream.peers is ignored: a replica of the function answers for its own partitions"
            )
        self._dispatcher = Dispatcher(service, Access(read_token(), _CLOSED))
        self._tasks: list[asyncio.Task[None]] = []
        self._due, self._saving, self._ending = asyncio.Event(), asyncio.Lock(), asyncio.Event()

    def start(self) -> None:
        """Start the background tasks, in the event loop of the messages."""
        runtime = self.runtime
        compile_kernels(runtime.model.spec, runtime.state.tracker.policy)
        runtime.assignment = self.assignment
        runtime.deliveries.start()
        loop = asyncio.get_running_loop()
        work = self._keep_saving(), self._keep_refreshing(), self._keep_scoring()
        self._tasks = [loop.create_task(task) for task in work]
        self._reading = loop.create_task(self._read())
        # Nuclio's wrapper sets its handlers after this returns, and drops messages after a drain: a request that
        # waits then is never answered and blocks its worker. Replace that handler.
        loop.call_soon(loop.add_signal_handler, signal.SIGUSR2, self.reassign)
        tune_interpreter()

    async def stop(self) -> None:
        """Release the partitions, save the state and exit (called by Nuclio on shutdown).

        Raises
        ------
        SystemExit
            Always; with 1 if the state could not be saved.
        """
        async with self._saving:
            for task in self._tasks:
                task.cancel()
        self._ending.set()
        await asyncio.gather(*self._tasks, self._reading, return_exceptions=True)
        try:
            self._save_assignment()
            self.runtime.close()
        except Exception as error:
            _LOG.error("the state cannot be saved: %s: %s", type(error).__name__, error)
            raise SystemExit(1) from error
        raise SystemExit(0)

    def reassign(self) -> None:
        """Handle a reassignment of shards: save now, because another replica may take over."""
        if self.assignment is not None:
            self.assignment.reassign()
        self._due.set()

    async def answer(self, event: NuclioEvent) -> Reply:
        """Answer one message."""
        if event.trigger.kind in STREAMS:
            return await replied(self._process_message(event))
        return await self._dispatcher.answer(_request(event))

    async def _process_message(self, event: NuclioEvent) -> Reply:
        with self.runtime.metrics.timed("stream"):
            samples = self.service.pipeline.read(event.body)
            await self.service.run(samples)
        if self.assignment is not None:
            code = self.runtime.state.table.code
            known = (name for name in samples.devices if name and code(name) is not None)
            self.assignment.add(known, event.shard_id)
        return Reply(200, b"")

    async def _read(self) -> None:
        """Read the topic until the worker ends."""
        if self._topic is None:
            return
        try:
            async with running(self.runtime, self._topic, FolderState(self._state / PARTITIONS)):
                await self._ending.wait()
        except Exception as error:
            # A worker that answers requests and reads nothing would go unnoticed: Nuclio starts the replica again.
            _LOG.exception("the function cannot read %s", self._topic)
            raise SystemExit(1) from error

    async def _keep_saving(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), self.runtime.settings.state.snapshot_interval / SECOND)
            self._due.clear()
            async with self._saving:
                await self._attempt(self._save())

    async def _save(self) -> None:
        self._save_assignment()
        await save(self.runtime)

    def _save_assignment(self) -> None:
        if self.assignment is not None:
            self.assignment.save()

    async def _keep_refreshing(self) -> None:
        while True:
            await asyncio.sleep(self.runtime.settings.state.champion_interval / SECOND)
            await self._attempt(refresh(self.runtime))

    async def _keep_scoring(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self._attempt(self.service.score_log_devices())

    async def _attempt(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001
            # For example a full disk or an unreachable registry: the next attempt may succeed.
            _LOG.warning("%s: %s", type(error).__name__, error)


def _request(event: NuclioEvent) -> Request:
    headers = {name.lower(): str(value) for name, value in (event.headers or {}).items()}
    return Request(
        event.method or "GET",
        (event.path or "").rstrip("/"),
        event.body,
        event.content_type or "",
        event.fields or {},
        headers.get("authorization", ""),
        _size(event),
        headers.get("content-encoding", ""),
    )


def _size(event: NuclioEvent) -> int:
    if isinstance(event.body, (bytes, str)):
        return len(event.body)
    length = str((event.headers or {}).get("Content-Length", "0"))
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
