"""``netops serve``: the process of the HTTP server."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from netops.alerting.settings import AlertSettings
from netops.config.durations import SECOND
from netops.errors import NetopsError, UsageError
from netops.serving.engine.background import refresh, save, tune_interpreter
from netops.serving.engine.champion import ModelSource, load_model
from netops.serving.engine.fleet_state import compile_kernels
from netops.serving.engine.partitions import Partitions
from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.state_lock import StateInUseError
from netops.serving.folders import state_folder
from netops.serving.http.asgi import Application
from netops.serving.http.guard import Guard
from netops.serving.http.protocol import guarded, guarded_server
from netops.serving.http.waiting import wait_for_champion
from netops.serving.mlrun.registered import RegisteredChampion
from netops.serving.peers.addresses import parse_peers
from netops.serving.peers.aggregator import Aggregator
from netops.serving.peers.client import PeerClient
from netops.serving.peers.members import Members
from netops.serving.peers.network import Network
from netops.serving.requests.access import LOCAL, Access, bind, token_for
from netops.serving.requests.processes import Processes
from netops.serving.requests.service import Service
from netops.serving.settings import ServingSettings
from netops.serving.stream.object_store.address import StoreAddress, parse_state
from netops.serving.stream.object_store.client import ObjectStore
from netops.serving.stream.running import in_free_slot, running, states_of, topic_of
from netops.serving.syslog.address import Sockets, bind_both, parse_address, parse_networks
from netops.serving.syslog.listener import SyslogListener
from netops.serving.syslog.messages import LogLines
from netops.serving.syslog.metrics import SyslogMetrics
from netops.telemetry.kafka.address import StreamAddress

if TYPE_CHECKING:
    from uvicorn import Config

    from netops.serving.http.framework import Background

_LOG = logging.getLogger(__name__)


def serve(
    network: str = "demo",
    settings: ServingSettings | None = None,
    alerting: AlertSettings | None = None,
    source: ModelSource | None = None,
    state: Path | str | None = None,
    ready: Callable[[str], None] | None = None,
    waiting: Callable[[str], None] | None = None,
) -> None:
    """Serve a network until SIGTERM or SIGINT: over HTTP, with samples from a topic if ``stream.url`` is set.

    Parameters
    ----------
    network : str
        Name of the network.
    settings, alerting
        Sections of the configuration.
    source : ModelSource, optional
        The source of the champion; default: the MLRun registry.
    state : Path or str, optional
        State folder, or ``s3://bucket/prefix`` of an object store for the partitions of a stream; default: a folder
        in ``NETOPS_HOME``.
    ready : callable, optional
        Called with the address when the server is ready.
    waiting : callable, optional
        If given, the server waits for a champion: it is called with the address, which answers only ``/healthz``
        until then. If None, a missing champion is an error.

    Raises
    ------
    UsageError
        If the address is not local and no token is set, or cannot be bound; if the stream is invalid.
    NetopsError
        If there is no champion and ``waiting`` is None.
    """
    settings = settings or ServingSettings()
    address = _stream_of(settings)
    location = parse_state(state or state_folder(network))
    store = _store_of(location, address)
    token = token_for(settings.host)
    listener = bind(settings.host, settings.port)
    syslog = None
    try:
        syslog = _bind_syslog(settings)
        found = source or RegisteredChampion(network)
        # With an object store, the folder is that of this process alone.
        folder = location if isinstance(location, Path) else state_folder(network)
        begin = partial(Runtime, network, found, settings, alerting)
        make = partial(begin, folder) if address is None else partial(in_free_slot, folder, begin)
        on_waiting = waiting and partial(waiting, _address(listener))
        while (runtime := _started(make, on_waiting is not None)) is None:
            if not wait_for_champion(network, lambda: load_model(found.champion()), listener, settings, on_waiting):
                return
        if address is not None:
            runtime.partitions = Partitions(
                address.topic, group=address.group, has_peers=bool(settings.stream.peers)
            )
        stream = None if address is None else running(runtime, address, states_of(runtime, folder, store))
        _run(runtime, listener, syslog, token, ready, stream)
    finally:
        listener.close()
        if syslog is not None:
            syslog.close()


def _stream_of(settings: ServingSettings) -> StreamAddress | None:
    """Return the topic to read; None if samples are accepted over HTTP."""
    if parse_peers(settings.stream.peers) and not settings.stream.url:
        raise UsageError("--peers is for servers that read a topic: give --stream, too")
    if settings.stream.url and settings.syslog:
        raise UsageError(
            "a server that reads a stream receives no syslog: send the lines to the topic, or unset --syslog"
        )
    return topic_of(settings.stream)


def _store_of(location: Path | StoreAddress, stream: StreamAddress | None) -> ObjectStore | None:
    """Return the object store of the state, which can be used; None if the state is in a folder."""
    if isinstance(location, Path):
        return None
    if stream is None:
        raise UsageError(f"--state {location}: an object store is for servers that read a topic: add --stream")
    store = ObjectStore(location)
    store.check()
    return store


def _started(make: Callable[[], Runtime], wait: bool) -> Runtime | None:
    """Create the runtime; None if it must wait for a champion."""
    try:
        return make()
    except StateInUseError:
        raise
    except NetopsError as error:
        if not wait:
            raise
        _LOG.warning("%s", error)
        return None


def _bind_syslog(settings: ServingSettings) -> Sockets | None:
    if not settings.syslog:
        return None
    return bind_both(parse_address(settings.syslog), settings.limits.syslog_receive_bytes)


def _syslog_listener(runtime: Runtime, sockets: Sockets | None) -> SyslogListener | None:
    """Create the listener for syslog.

    Raises
    ------
    NetopsError
        If the champion was trained without logs.
    """
    if sockets is None:
        return None
    settings = runtime.settings
    try:
        lines = LogLines(runtime)
    except NetopsError as error:
        runtime.close()
        raise NetopsError(f"--syslog: {error}") from None
    networks, longest = parse_networks(settings.syslog_from), settings.messages.max_line
    metrics = SyslogMetrics(runtime.metrics.registry, runtime.network)
    return SyslogListener(sockets, networks, settings.limits, longest, lines, metrics)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


def _run(
    runtime: Runtime,
    listener: socket.socket,
    syslog: Sockets | None,
    token: str | None,
    ready: Callable[[str], None] | None,
    stream: AbstractAsyncContextManager[None] | None = None,
) -> None:
    receiver = _syslog_listener(runtime, syslog)
    compile_kernels(runtime.model.spec, runtime.state.tracker.policy)
    service = Service(Pipeline(runtime))
    address = _address(listener)
    network = _network(service, token)
    failures: list[NetopsError] = []
    lifespan: list[Background] = [lambda _app: _background(service, address, ready, failures, receiver)]
    if stream is not None:
        lifespan.append(lambda _app: stream)
    if network is not None:
        lifespan.append(lambda _app: network.members.running())
        lifespan.append(lambda _app: Aggregator(network).running())
    config = configured(service, token, lifespan, network)
    guarded_server(config).run(sockets=[listener])
    for failure in failures:  # exit with an error
        raise failure


def _network(service: Service, token: str | None) -> Network | None:
    """Return what answers for all processes that read the stream; None if this one answers for itself."""
    stream, runtime = service.runtime.settings.stream, service.runtime
    if not stream.peers:
        return None
    assert runtime.partitions is not None
    client = PeerClient(stream.peer_timeout / SECOND, token)
    return Network(service, Members(parse_peers(stream.peers), client, runtime.network, runtime.partitions))


def configured(
    service: Service,
    token: str | None,
    lifespan: "Sequence[Background]" = (),
    processes: Processes | None = None,
) -> "Config":
    """Return the configuration of the server with its application, limits and guards.

    Parameters
    ----------
    service : Service
        The service that processes the requests.
    token : str or None
        The required bearer token.
    lifespan : sequence of async context managers
        Background tasks.
    processes : Processes, optional
        The processes that read the same stream.
    """
    # Late: the web framework; wrong addresses and a missing champion are reported before it is imported.
    from netops.serving.http.app import make_app
    from netops.serving.http.fast_path import Direct, FastPath
    from netops.serving.requests.dispatch import Dispatcher

    settings, dispatcher = service.runtime.settings, Dispatcher(service, Access(token), processes)
    app = FastPath(cast(Application, make_app(dispatcher, lifespan)), dispatcher)
    guard = Guard(app, settings.host in LOCAL, settings.hosts)
    return guarded(guard, settings.limits, timeout_graceful_shutdown=5, direct=Direct(app, guard))


@asynccontextmanager
async def _background(
    service: Service,
    address: str,
    ready: Callable[[str], None] | None,
    failures: list[NetopsError],
    syslog: SyslogListener | None = None,
) -> AsyncIterator[None]:
    """Run the background tasks (snapshots, champion lookup, deliveries, syslog); save the state at the end."""
    runtime = service.runtime
    settings = runtime.settings.state
    runtime.deliveries.start()
    ending = asyncio.Event()
    saving = asyncio.create_task(_repeat(settings.snapshot_interval, lambda: save(runtime), ending))
    refreshing = asyncio.create_task(_repeat(settings.champion_interval, lambda: refresh(runtime), ending))
    scoring = asyncio.create_task(_repeat(SECOND, service.score_log_devices, ending))
    tune_interpreter()
    if syslog is not None:
        await syslog.start()
    if ready is not None:
        ready(address)
    try:
        yield
    finally:
        if syslog is not None:
            await syslog.close()
        ending.set()
        refreshing.cancel()
        scoring.cancel()
        # An active snapshot is not cancelled: its thread would write at the same time as the last one.
        await asyncio.gather(saving, refreshing, scoring, return_exceptions=True)
        try:
            runtime.close()
        except NetopsError as error:
            failures.append(error)


async def _repeat(interval: int, work: Callable[[], Awaitable[None]], ending: asyncio.Event) -> None:
    while not ending.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), interval / SECOND)
            return
        try:
            await work()
        except Exception as error:  # noqa: BLE001
            # For example a full disk or an unreachable registry: the next attempt may succeed.
            _LOG.warning("%s: %s", type(error).__name__, error)
