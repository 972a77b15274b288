"""``netops serve``: the HTTP server's process, from start to end."""

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from netops.alerting.settings import AlertSettings
from netops.config.durations import SECOND
from netops.errors import NetopsError
from netops.serving.engine.champion import ModelSource, load_model
from netops.serving.engine.fleet_state import compile_kernels
from netops.serving.engine.runtime import Runtime, StateInUseError
from netops.serving.http.access import LOCAL, bind, token_for
from netops.serving.http.guard import Guard
from netops.serving.http.waiting import wait_for_champion
from netops.serving.mlrun.registered import RegisteredChampion
from netops.serving.settings import ServingSettings

_LOG = logging.getLogger(__name__)


def serve(
    network: str = "demo",
    settings: ServingSettings | None = None,
    alerting: AlertSettings | None = None,
    source: ModelSource | None = None,
    state: Path | None = None,
    ready: Callable[[str], None] | None = None,
    waiting: Callable[[str], None] | None = None,
) -> None:
    """Serve a network over HTTP until the process is told to end (SIGTERM, SIGINT).

    Parameters
    ----------
    network : str
        Its name.
    settings, alerting
        Sections of the configuration.
    source : ModelSource, optional
        Where the champion is looked up; by default in the registry of MLRun.
    state : Path, optional
        Folder of the state; by default below ``NETOPS_HOME``.
    ready : callable, optional
        Told the address once requests are answered.
    waiting : callable, optional
        With it, a network without a champion is waited for: it is told the address, where ``/healthz`` answers,
        ``/readyz`` and all else are refused. Without it, such a network is an error.

    Raises
    ------
    UsageError
        If the address is not local and no token is set, or cannot be bound.
    NetopsError
        If there is no champion, and none is waited for.
    """
    settings = settings or ServingSettings()
    token = token_for(settings.host)
    listener = bind(settings.host, settings.port)
    try:
        found = source or RegisteredChampion(network)
        make = partial(Runtime, network, found, settings, alerting, state)
        tell = waiting and partial(waiting, _address(listener))
        while (runtime := _started(make, tell is not None)) is None:
            if not wait_for_champion(network, lambda: load_model(found.champion()), listener, settings, tell):
                return
        _run(runtime, listener, token, ready)
    finally:
        listener.close()


def _started(make: Callable[[], Runtime], patient: bool) -> Runtime | None:
    """Start what serves; None where it has to wait for a champion."""
    try:
        return make()
    except StateInUseError:
        raise
    except NetopsError as error:
        if not patient:
            raise
        _LOG.warning("%s", error)
        return None


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


def _run(runtime: Runtime, listener: socket.socket, token: str | None, ready: Callable[[str], None] | None) -> None:
    gc.disable()  # what is imported stays: collecting meanwhile costs a tenth of the start, and frees nothing
    try:
        from netops.serving.http.protocol import guarded_server
        from netops.serving.mlrun.function import make_serving_function, start_graph
        from netops.serving.mlrun.graph import pipeline_of
        from netops.serving.mlrun.service import Service
    finally:
        gc.enable()

    compile_kernels(runtime.model.spec, runtime.state.tracker.policy)
    graph = start_graph(make_serving_function(network=runtime.network), runtime)
    service = Service(graph, pipeline_of(graph.context))
    address = _address(listener)
    failures: list[NetopsError] = []
    config = configured(service, token, [lambda _app: _beside(runtime, address, ready, failures)])
    guarded_server(config).run(sockets=[listener])
    for failure in failures:  # the process ends as one whose work failed
        raise failure


def configured(service: Any, token: str | None, lifespan: Sequence[Any] = ()) -> Any:
    """Put the server's application and its connections together, all guards included.

    Parameters
    ----------
    service : netops.serving.mlrun.service.Service
        What answers.
    token : str or None
        The bearer token that is asked for.
    lifespan : sequence of async context managers
        What runs beside the requests.

    Returns
    -------
    uvicorn.Config
    """
    from netops.serving.http.app import make_app
    from netops.serving.http.fast_path import FastPath
    from netops.serving.http.protocol import guarded

    settings = service.runtime.settings
    app = FastPath(make_app(service, token, lifespan), service, token)
    return guarded(Guard(app, settings.host in LOCAL, settings.hosts), settings.limits, timeout_graceful_shutdown=5)


def collect_seldom() -> None:
    """Keep the garbage collector from what is loaded by now, which stays, and from every request's rows."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@asynccontextmanager
async def _beside(
    runtime: Runtime, address: str, ready: Callable[[str], None] | None, failures: list[NetopsError]
) -> AsyncIterator[None]:
    """Run snapshots, champion and deliveries beside the requests; save the state at the end."""
    settings = runtime.settings.state
    runtime.deliveries.start()
    ending = asyncio.Event()
    saving = asyncio.create_task(_again(settings.snapshot_interval, lambda: save(runtime), ending))
    looking = asyncio.create_task(_again(settings.champion_interval, lambda: refresh(runtime), ending))
    # A long body is read in a thread: the event loop must get its turn from it soon.
    sys.setswitchinterval(0.001)
    collect_seldom()
    if ready is not None:
        ready(address)
    try:
        yield
    finally:
        ending.set()
        looking.cancel()
        # A snapshot under way is not cut off: its thread would go on writing beside the last one.
        await asyncio.gather(saving, looking, return_exceptions=True)
        try:
            runtime.close()
        except NetopsError as error:
            failures.append(error)


async def _again(interval: int, work: Callable[[], Any], ending: asyncio.Event) -> None:
    while not ending.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), interval / SECOND)
            return
        try:
            await work()
        except Exception as error:  # noqa: BLE001
            # Whatever went wrong, a full disk or an unreachable registry: the next round may go well.
            _LOG.warning("%s: %s", type(error).__name__, error)


async def save(runtime: Runtime) -> None:
    """Write a snapshot; requests are answered between its parts."""
    since = perf_counter()
    try:
        with runtime.snapshot() as writer:
            for part in writer.parts():
                await asyncio.to_thread(writer.write, part)
            await asyncio.to_thread(writer.finish)
    except Exception:
        runtime.metrics.snapshots.labels(runtime.network, "failed").inc()
        raise
    runtime.metrics.snapshots.labels(runtime.network, "written").inc()
    runtime.metrics.snapshot_seconds.set(perf_counter() - since)


async def refresh(runtime: Runtime) -> None:
    """Look champion and shadow up and load a new one beside the requests; the swap itself is one assignment."""
    champion = await asyncio.to_thread(runtime.source.champion)
    if champion.version != runtime.model.version:
        runtime.swap(await asyncio.to_thread(load_model, champion))
        runtime.metrics.swaps.inc()
    runtime.shadow.take(await asyncio.to_thread(runtime.shadow.look))
