"""The intake of a partition: its messages through the pipeline, and its snapshots."""

import asyncio
import logging
from collections.abc import Iterator, Sequence

import numpy as np

from netops.errors import NetopsError
from netops.serving.engine.background import save
from netops.serving.engine.dead_letters import letter
from netops.serving.engine.lease import FencedError
from netops.serving.engine.partitions import Partition
from netops.serving.engine.pipeline import Pipeline, Unreadable
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError, Samples
from netops.serving.engine.shared_state import StateLease
from netops.serving.engine.work import SLICE
from netops.serving.logs.intake import slices
from netops.serving.logs.log_devices import samples_of
from netops.serving.logs.messages import UNREADABLE, Counts
from netops.serving.stream.messages import Batch, Lines, Message, parse_messages
from netops.serving.stream.metrics import StreamMetrics
from netops.serving.stream.output import Outlet

_LOG = logging.getLogger(__name__)
#: Seconds that a snapshot waits for messages in progress: others wait for it.
_PATIENCE = 5.0


class Intake:
    """Processes the messages of a partition, in the event loop.

    A snapshot is written between two batches, so that it contains exactly the messages before its offset.

    Parameters
    ----------
    partition : Partition
        The partition, whose runtime has the offset of the next message.
    lease : StateLease
        The lease of its state.
    root : Runtime
        The runtime of the process, whose champion is followed.
    metrics : StreamMetrics
        Counts the messages.
    outlet : Outlet, optional
        Where the risks are written.

    Attributes
    ----------
    next : int
        The next message to submit; ahead of the runtime's offset while messages are processed.
    saved : int or None
        The offset in the newest snapshot.
    """

    def __init__(
        self,
        partition: Partition,
        lease: StateLease,
        root: Runtime,
        metrics: StreamMetrics,
        outlet: Outlet | None = None,
    ) -> None:
        assert partition.runtime.offset is not None
        self.partition, self.runtime, self.lease, self.outlet = partition, partition.runtime, lease, outlet
        self.next: int = partition.runtime.offset
        self.saved: int | None = None
        origin = {"topic": partition.topic, "partition": partition.number}
        self.pipeline = Pipeline(self.runtime, origin)
        self._root, self._metrics, self._lock = root, metrics, asyncio.Lock()

    async def process(self, messages: Sequence[Message], parsed: Sequence[Batch]) -> None:
        """Process messages.

        Parameters
        ----------
        messages : sequence of Message
        parsed : sequence of Batch
            The same messages, parsed for the metrics of the champion.

        Raises
        ------
        FencedError
            If another process has taken over the partition.
        """
        async with self._lock:
            self.lease.check()
            had_truth = self.runtime.reader.truth
            is_other = self._follow_champion()
            self.runtime.shadow.follow(self._root.shadow.model)
            # The metrics may be others, and a shadow needs to know which devices have failed.
            if is_other or self.runtime.reader.truth != had_truth:
                parsed = list(parse_messages(self.pipeline, messages))
            for batch in parsed:
                await self._process(batch)
                self.runtime.offset = batch.offset + 1

    async def save(self) -> None:
        """Write a snapshot if there were messages since the last one.

        Raises
        ------
        NetopsError
            If messages are in progress for long, the output does not accept the risks of those before, or the
            snapshot is not durable.
        """
        try:
            await asyncio.wait_for(self._lock.acquire(), _PATIENCE)
        except TimeoutError:
            raise NetopsError(f"messages are in progress for {_PATIENCE:g} s") from None
        try:
            if self.runtime.offset == self.saved:
                return
            if self.outlet is not None:
                await self.outlet.flushed()
            self.lease.check()
            await save(self.runtime)
            offset = self.runtime.offset
        finally:
            self._lock.release()
        # Messages are processed meanwhile: the files of a snapshot do not change.
        await asyncio.to_thread(self.lease.commit)
        self.saved = offset

    async def detach(self) -> None:
        """Wait until nothing is in progress."""
        async with self._lock:
            pass

    def _follow_champion(self) -> bool:
        """Put the champion of the process in service; return whether it is another one."""
        if self.runtime.model is self._root.model:
            return False
        self.runtime.swap(self._root.model)
        return True

    async def _process(self, batch: Batch) -> None:
        self._metrics.read.inc(batch.messages)
        if isinstance(batch.samples, Unreadable):
            self._metrics.unreadable.inc()
            self.pipeline.store_unreadable(batch.samples, batch.offset)
            return
        if isinstance(batch.samples, Lines):
            await self._count(batch.samples, batch.offset)
            return
        # The next messages are parsed while a batch follows a champion, so with the metrics of the one before.
        for part in self._slices(self.pipeline.converted(batch.samples), batch.messages):
            await self._run(part)

    async def _count(self, lines: Lines, offset: int) -> None:
        """Count log messages, and store those that cannot be read."""
        try:
            messages = self.runtime.intake("logs")
        except NetopsError as error:
            self.pipeline.store_unreadable(Unreadable(lines.raw, BodyError(str(error), 409)), offset)
            return
        counts = Counts()
        for part in slices(lines.fields):
            counts += messages.add_fields(part, lines.device)
            await asyncio.sleep(0)
        await self._score_log_devices(offset)
        if counts.errors:
            why = f"{counts.by_status[UNREADABLE]} lines cannot be read: {counts.errors[0]}"
            origin = self.pipeline.origin | {"offset": offset}
            self.runtime.letters.write([letter("rejected", why, lines.raw) | origin])

    async def _score_log_devices(self, offset: int) -> None:
        """Score the devices without metrics up to the time of the newest message.

        Unlike over HTTP, the clock of the machine is not used: messages that are read again give the same samples.
        """
        state = self.runtime.state
        while due := state.log_devices.due(state.clock.newest, 0):
            made = samples_of(due, state.table.names, self.runtime.model.spec.metrics)
            made.offsets = [offset] * len(made)
            for part in self._slices(made, 1):
                await self._run(part)
        if forgotten := state.log_devices.forgotten():
            state.drop(forgotten)

    def _slices(self, samples: Samples, messages: int) -> Iterator[Samples]:
        """Split the samples; late ones beyond the limit of a message are rejected."""
        if len(samples) == 0:
            return
        state, remaining = self.runtime.state, self.runtime.settings.limits.late
        late = state.late(samples)
        bounds = state.slices(samples, late, SLICE)
        for start, part in zip(bounds, samples.cut(bounds), strict=False):
            part.share *= messages
            rows = np.flatnonzero(late[start : start + len(part)])
            if messages == 1:
                self.pipeline.reject_late(part, rows[remaining:].tolist())
                remaining = max(remaining - len(rows), 0)
            yield part

    async def _run(self, samples: Samples) -> None:
        """Score samples; afterwards the event loop does what waits."""
        self._score(samples)
        await asyncio.sleep(0)
        if self.outlet is not None:
            await self.outlet.room()
            self.lease.check()

    def _score(self, samples: Samples) -> None:
        try:
            work = self.pipeline.process_without_answers(self.pipeline.validate(samples))
        except FencedError:
            raise
        except Exception as error:  # noqa: BLE001 as over HTTP, a sample must not end the server
            _LOG.exception("partition %s: samples were not processed", self.partition.name)
            self._store_failed(samples, f"the server failed: {type(error).__name__}")
            return
        if self.outlet is not None:
            self.outlet.add(work)

    def _store_failed(self, samples: Samples, error: str) -> None:
        sent = zip(samples.devices, samples.stamps, samples.offsets, strict=True)
        self.runtime.letters.write(
            letter("failed", error, {"device": device, "timestamp": stamp})
            | self.pipeline.origin
            | {"offset": offset}
            for device, stamp, offset in sent
        )
