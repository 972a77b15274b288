"""Opens the partitions of a process, and releases them."""

import asyncio
import logging
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from netops.config.durations import SECOND
from netops.errors import NetopsError
from netops.serving.alerts.network_sites import NetworkRollUp
from netops.serving.engine.champion import Champion
from netops.serving.engine.lease import FencedError
from netops.serving.engine.partitions import Partition, Partitions
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.shared_state import SharedState, StateClaim, StateLease
from netops.serving.stream.intake import Intake
from netops.serving.stream.metrics import StreamMetrics
from netops.serving.stream.output import Outlet, Output
from netops.telemetry.kafka.address import StreamAddress

T = TypeVar("T")
_LOG = logging.getLogger(__name__)


class RootModels:
    """The models of a process (see ``champion.ModelSource``); a partition follows the shadow of the process."""

    def __init__(self, root: Runtime) -> None:
        self._root = root

    def champion(self) -> Champion:
        """Return the champion of the process."""
        return self._root.source.champion()

    def shadow(self) -> None:
        """Return None."""

    def find(self, version: str) -> Champion:
        """Return any version of the network."""
        return self._root.source.find(version)


class Owner:
    """The partitions of a process. Used by the thread that reads the stream; their state is used in the event loop.

    Parameters
    ----------
    root : Runtime
        The runtime of the process.
    address : StreamAddress
        The topic.
    states : SharedState
        The states of the partitions, which all processes share.
    loop : AbstractEventLoop
        The event loop of the server.
    output : Output, optional
        Where the risks are written.

    Attributes
    ----------
    intakes : dict
        Number → intake of an owned partition.
    """

    def __init__(
        self,
        root: Runtime,
        address: StreamAddress,
        states: SharedState,
        loop: asyncio.AbstractEventLoop,
        output: Output | None = None,
    ) -> None:
        assert root.partitions is not None
        self.partitions: Partitions = root.partitions
        self.metrics = StreamMetrics(root.metrics.registry, root.network)
        self.intakes: dict[int, Intake] = {}
        self.output = output
        self._root, self._address, self._states, self._loop = root, address, states, loop

    @property
    def stalled(self) -> str:
        """Why the state of a partition cannot be saved now; empty if all can."""
        return next((why for intake in list(self.intakes.values()) if (why := intake.lease.stalled)), "")

    def claim(self, number: int, patience: float) -> StateClaim:
        """Return a claim on the state of a partition (see ``SharedState.claim``)."""
        return self._states.claim(f"{self._address.topic}-{number}", patience)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the event loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine in the event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def open(self, number: int, lease: StateLease, low: int, high: int) -> Intake:
        """Restore the state of a partition and put it in service.

        Parameters
        ----------
        number : int
            Number of the partition.
        lease : StateLease
            The lease of its state.
        low, high : int
            Offsets of the oldest message of the topic, and after the newest one.

        Raises
        ------
        OSError, NetopsError, FencedError
            If the state is new and cannot be written.
        """
        root = self._root
        try:
            runtime = Runtime(
                root.network,
                RootModels(root),
                root.settings,
                root.alerting,
                lease.folder,
                lease=lease,
                root=root,
                network_roll_up=self._roll_up(number),
            )
        except BaseException:
            lease.release()
            raise
        runtime.shadow.follow(root.shadow.model)
        is_new = runtime.offset is None
        runtime.offset = self._start(number, runtime.offset, low, high)
        if is_new:
            _store_start(lease, runtime)
        partition = Partition(self._address.topic, number, runtime, high)
        outlet = None if self.output is None else Outlet(self.output, self._address.topic, number)
        intake = self.intakes[number] = Intake(partition, lease, root, self.metrics, outlet)
        runtime.deliveries.start()
        self.call(self._attach(partition))
        self.metrics.partition("opened")
        return intake

    def release(self, number: int, is_saved: bool = True) -> int | None:
        """Take a partition out of service and save its state; return the offset in the snapshot, None if not saved.

        A partition that another process has taken over is not saved in any case.
        """
        if (intake := self.intakes.pop(number, None)) is None:
            return None
        self.call(self._detach(intake))
        saved = _saved(intake) if is_saved else None
        if saved is None:
            intake.runtime.discard()
        self.metrics.partition("lost" if saved is None else "released")
        return saved

    async def save(self) -> None:
        """Write a snapshot of each partition, one after another."""
        for intake in list(self.intakes.values()):
            if self._owns(intake) and not intake.lease.stalled:  # the reader reports it
                await self._attempt(intake)

    async def _attempt(self, intake: Intake) -> None:
        try:
            await intake.save()
        except Exception as error:  # noqa: BLE001 for example a full disk: the next attempt may succeed
            if self._owns(intake):  # otherwise it has been given up meanwhile
                name = intake.partition.name
                _LOG.warning("partition %s: no snapshot: %s: %s", name, type(error).__name__, error)

    def _owns(self, intake: Intake) -> bool:
        return self.partitions.owned.get(intake.partition.number) is intake.partition

    def _roll_up(self, number: int) -> NetworkRollUp | None:
        """Return how a partition takes part in the roll-up of the network; None: it rolls up its own alerts."""
        wait = self._root.settings.stream.roll_up_wait / SECOND
        return NetworkRollUp(wait, number == 0) if self.partitions.has_peers else None

    async def _attach(self, partition: Partition) -> None:
        self.partitions.owned[partition.number] = partition

    async def _detach(self, intake: Intake) -> None:
        self.partitions.owned.pop(intake.partition.number, None)
        await intake.detach()

    def _start(self, number: int, offset: int | None, low: int, high: int) -> int:
        """Return the first message to read: the one in the snapshot, if the topic still has it."""
        if offset is None:
            return low if self._address.start == "earliest" else high
        if low <= offset <= high:
            return offset
        if offset < low:
            self.metrics.missing.inc(low - offset)
            why = f"{low - offset} messages were deleted before they were read; increase the topic's retention"
        else:
            why = f"the topic ends before message {offset} of the snapshot: it was created again"
        _LOG.warning("partition %s-%d: %s", self._address.topic, number, why)
        return low


def _store_start(lease: StateLease, runtime: Runtime) -> None:
    """Write where a new partition begins: the end of the topic will be another one if it is opened again."""
    try:
        _write(lease, runtime)
    except BaseException:
        runtime.discard()
        raise


def _write(lease: StateLease, runtime: Runtime) -> None:
    """Write a snapshot; it is durable then."""
    runtime.save()
    lease.commit()


def _saved(intake: Intake) -> int | None:
    """Save and close the state of a partition; return its offset, None if it could not be saved."""
    try:
        intake.lease.check()
    except FencedError as error:
        _LOG.warning("%s", error)
        return None
    if intake.outlet is not None and not intake.outlet.is_written:
        why = intake.outlet.error or f"output {intake.outlet.output.address}: not written"
        _LOG.warning("partition %s: no snapshot, messages are read again: %s", intake.partition.name, why)
        return None
    runtime = intake.runtime
    try:
        _write(intake.lease, runtime)
    except (OSError, NetopsError, FencedError) as error:
        _LOG.warning("partition %s: no snapshot, messages are read again: %s", intake.partition.name, error)
        return None
    runtime.discard()
    return runtime.offset
