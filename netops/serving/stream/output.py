"""The risks of scored samples, written to a Kafka topic.

A snapshot is written only once the brokers have all messages before its offset, so that none is lost: after a crash
the samples after the snapshot are scored and written again, with the same origin.
"""

import asyncio
import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic, sleep
from typing import TYPE_CHECKING

import msgspec

from netops.errors import NetopsError
from netops.serving.decode.times import iso
from netops.serving.engine.samples import Reason
from netops.serving.engine.work import Work
from netops.serving.stream.metrics import OutputCounts
from netops.telemetry.kafka.address import StreamAddress
from netops.telemetry.kafka.client import make_producer

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

_LOG = logging.getLogger(__name__)
#: Messages that may wait before reading pauses.
LIMIT = 10_000
#: Seconds without an accepted message after which the output is stalled, and between two looks at it.
_STALLED, _LOOK = 5.0, 0.005
#: The maximum time for which a snapshot waits for a slow output, in seconds.
_PATIENCE = 30.0
#: Without a time limit, a message fails only if the brokers reject it.
_FOREVER = 0.0


class Origin(msgspec.Struct, gc=False):
    """The message with the sample; ``row`` counts the scored samples of this message from 0."""

    topic: str
    partition: int
    offset: int
    row: int


class ScoredSample(msgspec.Struct, omit_defaults=True, gc=False):
    """The value of a message; the first six fields are always present."""

    device: str
    timestamp: str
    risk: float | None
    alert: bool
    model: str
    origin: Origin
    probability: float | None = None
    reasons: list[Reason] = []


_ENCODE = msgspec.json.Encoder().encode


class Output:
    """Writes to the topic; used by the event loop, with a thread that receives the acknowledgements.

    Parameters
    ----------
    address : StreamAddress
        The topic.

    Attributes
    ----------
    counts : OutputCounts
        Messages since the start.
    is_ending : bool
        Whether snapshots do not wait for the output any more, because the process ends.

    Raises
    ------
    UsageError
        If the client rejects a property of the address.
    """

    def __init__(self, address: StreamAddress) -> None:
        self.address, self.counts, self.is_ending = address, OutputCounts(), False
        self._error, self._progress = "", monotonic()
        self._producer = self._made()
        #: A message must not reach a producer after it has been given up: nothing would report that it is lost.
        self._replacing = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"output {address}", daemon=True)
        self._thread.start()

    @property
    def is_stalled(self) -> bool:
        """Whether messages wait and the brokers have accepted none for some seconds."""
        return self.counts.waiting > 0 and monotonic() - self._progress > _STALLED

    @property
    def waiting(self) -> str:
        """How many messages wait, and why, if that is known."""
        why = self._error or ("the brokers do not answer" if self.is_stalled else "")
        return f"output {self.address}: {self.counts.waiting} messages wait" + (f": {why}" if why else "")

    def has_room(self, limit: int, seconds: float) -> bool:
        """Return whether at most ``limit`` messages wait; wait some seconds for it."""
        end = monotonic() + seconds
        while self.counts.waiting > limit and monotonic() < end:
            sleep(_LOOK)
        return self.counts.waiting <= limit

    def finish(self, outlets: "Iterable[Outlet]", seconds: float) -> None:
        """Wait until the messages of some partitions are written, but not for a stalled output."""
        end, pending = monotonic() + seconds, list(outlets)
        while any(not one.is_written for one in pending) and not self.is_stalled and monotonic() < end:
            sleep(_LOOK)

    def produce(self, value: bytes, key: str, outlet: "Outlet") -> None:
        """Queue a message.

        Raises
        ------
        NetopsError
            If the queue is full, or the producer has failed; the sample must be scored again.
        """
        from confluent_kafka import KafkaException

        if self.counts.waiting == 0:
            self._progress = monotonic()
        try:
            with self._replacing:
                self._producer.produce(self.address.topic, value, key, on_delivery=outlet.delivered)
        except (BufferError, KafkaException) as error:
            raise NetopsError(f"output {self.address}: {error}") from error
        self.counts.queued += 1

    def delivered(self, error: "KafkaError | None") -> None:
        """Count an accepted or failed message."""
        if error is None:
            self.counts.written += 1
            self._progress, self._error = monotonic(), ""
        else:
            self.counts.failed += 1
            self._error = error.str()

    def stop(self) -> None:
        """End the thread, and give up what has not been written."""
        self._ending.set()
        self._thread.join()
        _give_up(self._producer)

    def _made(self) -> "Producer":
        return make_producer(self.address, _FOREVER, self._report)

    def _report(self, error: "KafkaError") -> None:
        self._error = error.str()

    def _run(self) -> None:
        from confluent_kafka import KafkaException

        while not self._ending.is_set():
            try:
                self._producer.poll(0.1)
            except KafkaException as error:  # the producer can write nothing more
                self._replace(error)

    def _replace(self, error: Exception) -> None:
        """Replace the producer; what it has not written fails, and these partitions are opened again."""
        _LOG.warning("output %s: %s", self.address, error)
        made = self._made()
        with self._replacing:
            failed, self._producer = self._producer, made
        _give_up(failed)


class Outlet:
    """The messages of a partition, from its opening to its release.

    Parameters
    ----------
    output : Output
    topic : str
    partition : int
        Where the samples are from.

    Attributes
    ----------
    error : str
        Why a message failed; the partition must be opened again from its snapshot.
    """

    def __init__(self, output: Output, topic: str, partition: int) -> None:
        self.output, self.error = output, ""
        self._topic, self._partition = topic, partition
        self._queued = self._written = 0
        self._offset, self._row = -1, 0

    @property
    def is_written(self) -> bool:
        """Whether the brokers have all messages."""
        return self._written == self._queued and not self.error

    def add(self, work: Work) -> None:
        """Queue a message for each scored sample.

        Raises
        ------
        NetopsError
            If it cannot be queued.
        """
        samples, version, stamp, text = work.samples, work.model.version, None, ""
        rows = zip(
            work.scored.tolist(),
            samples.timestamps[work.scored].tolist(),
            work.risks.tolist(),
            work.probabilities.tolist(),
            work.alert[work.scored].tolist(),
            work.reasons,
            strict=True,
        )
        for row, time, risk, probability, alert, reasons in rows:
            if time != stamp:  # samples of one time are mostly together
                stamp, text = time, iso(time)
            device, origin = str(samples.devices[row]), self._origin(samples.offsets[row])
            found = ScoredSample(device, text, _known(risk), alert, version, origin, _known(probability), reasons)
            self._produce(_ENCODE(found), device)

    def _produce(self, value: bytes, key: str) -> None:
        try:
            self.output.produce(value, key, self)
        except NetopsError as error:
            self.error = str(error)  # the state is ahead of the offset: no snapshot may be written
            raise
        self._queued += 1

    def delivered(self, error: "KafkaError | None", _message: "Message") -> None:
        """Count an accepted or failed message (called by the client)."""
        self.output.delivered(error)
        if error is None:
            self._written += 1
        else:
            self.error = f"output {self.output.address}: {error.str()}"

    async def room(self) -> None:
        """Wait while too many messages wait, and the brokers accept any.

        One batch of messages may have more samples than the queue of the client has places.
        """
        output = self.output
        while output.counts.waiting > LIMIT and not (self.error or output.is_stalled or output.is_ending):
            await asyncio.sleep(_LOOK)

    async def flushed(self) -> None:
        """Wait until the brokers have all messages.

        Raises
        ------
        NetopsError
            If they do not accept them now.
        """
        end = monotonic() + _PATIENCE
        while not self.is_written:
            output = self.output
            if self.error or output.is_stalled or output.is_ending or monotonic() > end:
                raise NetopsError(self.error or output.waiting)
            await asyncio.sleep(_LOOK)

    def _origin(self, offset: int) -> Origin:
        self._row = self._row + 1 if offset == self._offset else 0
        self._offset = offset
        return Origin(self._topic, self._partition, offset, self._row)


def _give_up(producer: "Producer") -> None:
    """Let the waiting messages of a producer fail."""
    from confluent_kafka import KafkaException

    producer.purge()
    with suppress(KafkaException):
        producer.flush(_STALLED)


def _known(value: float) -> float | None:
    return value if value == value else None
