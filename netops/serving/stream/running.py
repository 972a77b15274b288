"""A stream in the background of a server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from netops.config.durations import SECOND
from netops.serving.engine.partitions import Partitions
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.shared_state import FolderState, SharedState
from netops.serving.engine.state_lock import StateInUseError
from netops.serving.folders import PARTITIONS
from netops.serving.settings import StreamSettings
from netops.serving.stream.metrics import LagCollector, OutputCollector
from netops.serving.stream.object_store.client import ObjectStore
from netops.serving.stream.object_store.metrics import StoreCollector
from netops.serving.stream.object_store.state import ObjectState
from netops.serving.stream.output import Output
from netops.serving.stream.owner import Owner
from netops.serving.stream.reader import StreamReader
from netops.telemetry.kafka.address import StreamAddress, parse_output, parse_stream
from netops.telemetry.kafka.client import check_client, make_producer

T = TypeVar("T")
#: The folder of the processes in a state folder.
PROCESSES = "processes"
#: Processes that can share a state folder.
_SLOTS = 256


def topic_of(settings: StreamSettings) -> StreamAddress | None:
    """Return the topic to read; None if samples are accepted over HTTP.

    Raises
    ------
    UsageError
        If it or the topic of the output is invalid, or the client is not installed or rejects a property.
    """
    written = parse_output(settings.out, settings.url)
    if not settings.url:
        return None
    address = parse_stream(settings.url)
    check_client(address)
    if written is not None:
        make_producer(written, 0.0)
    return address


def in_free_slot(state: Path, start: Callable[[Path], T]) -> T:
    """Start a process in the first folder that no other process uses."""
    for slot in range(_SLOTS - 1):
        with suppress(StateInUseError):
            return start(state / PROCESSES / str(slot))
    return start(state / PROCESSES / str(_SLOTS - 1))


def states_of(root: Runtime, folder: Path, store: ObjectStore | None) -> SharedState:
    """Return the states of the partitions: in a folder, or in an object store.

    Parameters
    ----------
    root : Runtime
        The runtime of the process; its folder is its own.
    folder : Path
        The state folder.
    store : ObjectStore or None
    """
    if store is None:
        return FolderState(folder / PARTITIONS)
    settings = root.settings.state
    root.metrics.registry.register(StoreCollector(store.counts, root.network))
    return ObjectState(store, root.folder / PARTITIONS, settings.dead_letter_bytes * settings.dead_letter_files)


@asynccontextmanager
async def running(root: Runtime, address: StreamAddress, states: SharedState) -> AsyncIterator[None]:
    """Read a topic while the server runs; at the end, save and release the partitions.

    Parameters
    ----------
    root : Runtime
        The runtime of the process; its ``partitions`` are created if missing.
    address : StreamAddress
        The topic.
    states : SharedState
        The states of the partitions, which all processes share.
    """
    partitions = root.partitions = root.partitions or Partitions(address.topic, group=address.group)
    root.metrics.registry.register(LagCollector(partitions, root.network))
    written = parse_output(root.settings.stream.out, root.settings.stream.url)
    output = None if written is None else Output(written)
    if output is not None:
        root.metrics.registry.register(OutputCollector(output.counts, root.network))
    owner = Owner(root, address, states, asyncio.get_running_loop(), output)
    reader = StreamReader(address, root.settings.stream, owner)
    ending, interval = asyncio.Event(), root.settings.state.snapshot_interval / SECOND
    saving = asyncio.create_task(_keep_saving(owner, interval, ending))
    reader.start()
    try:
        yield
    finally:
        ending.set()
        if output is not None:
            output.is_ending = True
        await saving
        await asyncio.to_thread(reader.stop)
        if output is not None:
            await asyncio.to_thread(output.stop)
        await asyncio.to_thread(states.close)


async def _keep_saving(owner: Owner, interval: float, ending: asyncio.Event) -> None:
    while not ending.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), interval)
            return
        await owner.save()
