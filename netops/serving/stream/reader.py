"""The thread that reads a topic: assignment of partitions, messages, offsets."""

import logging
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from netops.config.durations import SECOND
from netops.serving.engine.lease import FencedError
from netops.serving.engine.shared_state import StateClaim
from netops.serving.settings import StreamSettings
from netops.serving.stream.intake import Intake
from netops.serving.stream.messages import Message, parse_messages
from netops.serving.stream.output import LIMIT
from netops.serving.stream.owner import Owner
from netops.telemetry.kafka.address import StreamAddress
from netops.telemetry.kafka.client import make_consumer

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, TopicPartition
    from confluent_kafka import Message as KafkaMessage

_LOG = logging.getLogger(__name__)
#: Seconds to wait for a message, and at most for an answer of a broker.
_POLL, _TIMEOUT = 0.05, 5.0
#: Seconds between two renewals of the leases, and before another attempt after a failure.
_RENEWAL, _PAUSE = 1.0, 1.0
#: Seconds between two lookups of the number of partitions, and for a lookup of the ends of paused partitions.
_COUNT, _LOOKUP = 30.0, 0.5
#: Seconds to wait for the output before the partitions are paused, and before they are released.
_OUTPUT, _RELEASE = 0.5, 5.0
#: Partitions that are released at the same time.
_PARALLEL = 8
#: A problem that has not been reported again for this many seconds is over.
_TROUBLE = 15.0
#: The next message of a partition whose state is not open yet does not matter: it is paused.
_ANY = 0


class StreamReader:
    """Reads the assigned partitions of a topic until it is stopped.

    A partition is read once its state has been taken over. The offset in its snapshot decides where; the offsets
    that are committed to Kafka only show the lag to other tools.

    Parameters
    ----------
    address : StreamAddress
        The topic.
    settings : StreamSettings
        Limits and times.
    owner : Owner
        Opens and releases the partitions.
    """

    def __init__(self, address: StreamAddress, settings: StreamSettings, owner: Owner) -> None:
        self._address, self._settings, self._owner = address, settings, owner
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"reader of {address}", daemon=True)
        self._claims: dict[int, StateClaim] = {}
        self._running: list[tuple[Intake, Future[None]]] = []
        self._committed: dict[int, int] = {}
        self._retries: dict[int, float] = {}
        self._asked: dict[int, float] = {}
        self._has_opened = self._is_assigned = self._is_held = False
        self._obstacle = ""
        self._renewed = self._troubled = monotonic()
        self._counted = -_COUNT

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Release all partitions, leave the group and end the thread."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._session()
            except Exception as error:  # noqa: BLE001 reading must not end while the server answers requests
                _LOG.exception("stream %s: reading failed and starts again", self._address)
                self._report(f"{type(error).__name__}: {error}")
                self._stopping.wait(_PAUSE)

    def _session(self) -> None:
        """Read with one consumer; after a failure, all partitions are opened again by the next one."""
        consumer = make_consumer(self._address, self._settings.session, self._report)
        self._consumer = consumer
        try:
            consumer.subscribe(
                [self._address.topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
            )
            while not self._stopping.is_set():
                self._turn()
        finally:
            try:
                self._release(list(self._owner.intakes))
            finally:
                for number in list(self._claims):
                    self._abandon(number)
                consumer.close()

    def _turn(self) -> None:
        self._hold()
        parsed = [
            (intake, messages, list(parse_messages(intake.pipeline, messages)))
            for intake, messages in self._by_intake(self._poll())
        ]
        self._finish()
        for intake, messages, batches in parsed:
            if self._owner.intakes.get(intake.partition.number) is intake:
                self._running.append((intake, self._owner.submit(intake.process(messages, batches))))
        self._has_opened = self._open_one()
        if monotonic() - self._renewed > _RENEWAL:
            self._renewed = monotonic()
            self._renew()
            self._commit()
            if monotonic() - self._counted > _COUNT:
                self._count_partitions()

    def _hold(self) -> None:
        """Pause the partitions while output or state do not keep up; the process stays a member of the group."""
        self._obstacle = self._found_obstacle()
        if bool(self._obstacle) == self._is_held:
            return
        self._is_held = bool(self._obstacle)
        read = [self._partition(number) for number in self._owner.intakes if number not in self._claims]
        if self._is_held:
            self._consumer.pause(read)
        else:
            self._consumer.resume(read)
        self._show_stalled()

    def _found_obstacle(self) -> str:
        """Return why no messages may be read: what follows from them cannot be saved or written."""
        output = self._owner.output
        if (why := self._owner.stalled) or output is None:
            return why
        has_room = output.has_room(LIMIT // 2, 0.0) if self._is_held else output.has_room(LIMIT, _OUTPUT)
        return "" if has_room else output.waiting

    def _poll(self) -> "list[KafkaMessage]":
        """Return the messages that are there; wait for the first one only."""
        first = self._consumer.poll(0 if self._has_opened else _POLL)
        if first is None:
            return []
        return [first, *self._consumer.consume(self._settings.messages - 1, 0)]

    def _by_intake(self, found: "Iterable[KafkaMessage]") -> Iterable[tuple[Intake, Sequence[Message]]]:
        grouped: dict[int, list[Message]] = {}
        for message in found:
            number, offset = message.partition(), message.offset()
            intake = None if number is None or number in self._claims else self._owner.intakes.get(number)
            if (error := message.error()) is not None:
                self._handle(error, intake)
                continue
            # Messages from before a pause or a reassignment may still be in the queue.
            if intake is None or number is None or offset is None or offset < intake.next:
                continue
            intake.next = offset + 1
            value = message.value() or b""
            grouped.setdefault(number, []).append(Message(offset, value, _content_type(message), _key(message)))
        intakes = self._owner.intakes  # without one that was closed because of an error among the messages
        return [(intakes[number], messages) for number, messages in grouped.items() if number in intakes]

    def _handle(self, error: "KafkaError", intake: Intake | None) -> None:
        from confluent_kafka import KafkaError

        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            # The next message has been deleted, or the topic was created again: see Owner.open.
            if intake is not None:
                self._finish()
                self._reopen(intake, error.str(), is_saved=True)
        else:
            self._report(error.str())

    def _finish(self) -> None:
        """Wait for the messages in progress; a partition that fails is opened again from its snapshot."""
        running, self._running = self._running, []
        since = monotonic()
        for intake, future in running:
            while not wait([future], _RENEWAL).done or monotonic() - since > _RENEWAL:
                self._keep_leases()  # the output may be slow
                since = monotonic()
            try:
                future.result()
            except Exception as error:  # noqa: BLE001
                self._reopen(intake, f"{type(error).__name__}: {error}")

    def _keep_leases(self) -> None:
        for intake in list(self._owner.intakes.values()):
            with suppress(FencedError):  # its next messages are refused
                intake.lease.renew()

    def _reopen(self, intake: Intake, why: str, is_saved: bool = False) -> None:
        number = intake.partition.number
        if self._owner.intakes.get(number) is not intake:
            return
        _LOG.warning("partition %s is opened again: %s", intake.partition.name, why)
        if is_saved:
            self._prepare([number])
        self._owner.release(number, is_saved)
        if intake.outlet is not None and not intake.outlet.is_written:
            self._report(why)
            self._retries[number] = monotonic() + _PAUSE
        self._consumer.pause([self._partition(number)])
        self._claim([number])

    def _assigned(self, consumer: "Consumer", partitions: "list[TopicPartition]") -> None:
        """Claim the states of assigned partitions; they are paused until these are open.

        A process that is assigned none is called, too.
        """
        self._is_assigned = True
        numbers = [one.partition for one in partitions]
        paused = [self._partition(number, _ANY) for number in numbers]
        consumer.incremental_assign(paused)
        if paused:
            consumer.pause(paused)
        self._claim(numbers)

    def _revoked(self, consumer: "Consumer", partitions: "list[TopicPartition]") -> None:
        """Save and release the states, then let the group assign the partitions to others."""
        self._release([one.partition for one in partitions])
        consumer.incremental_unassign(partitions)

    def _lost(self, consumer: "Consumer", partitions: "list[TopicPartition]") -> None:
        """Release partitions that the group has already assigned to others; the leases protect their states."""
        self._release([one.partition for one in partitions], is_member=False)
        consumer.incremental_unassign(partitions)

    def _release(self, numbers: Sequence[int], is_member: bool = True) -> None:
        self._finish()
        self._prepare(numbers)
        for number in numbers:
            self._abandon(number)
            self._committed.pop(number, None)
        # Side by side: each waits for its own requests to an object store, or for its own files.
        with ThreadPoolExecutor(_PARALLEL, "release") as pool:
            offsets = dict(zip(numbers, pool.map(self._owner.release, numbers), strict=True))
        saved = {number: offset for number, offset in offsets.items() if offset is not None}
        self._show_waiting()
        if is_member and saved:
            self._commit_offsets(saved, wait=True)

    def _prepare(self, numbers: Sequence[int]) -> None:
        """Wait for the output and the deliveries of all partitions together, not one after another."""
        released = [self._owner.intakes[number] for number in numbers if number in self._owner.intakes]
        for intake in released:
            intake.runtime.deliveries.end()
        if self._owner.output is not None:
            outlets = [intake.outlet for intake in released if intake.outlet is not None]
            self._owner.output.finish(outlets, _RELEASE)

    def _claim(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._abandon(number)
            self._claims[number] = self._owner.claim(number, self._settings.lease / SECOND)
        self._show_waiting()

    def _open_one(self) -> bool:
        """Try to open claimed partitions until one is read, with the messages of other partitions in between."""
        return any(not self._stopping.is_set() and self._attempt(number) for number in list(self._claims))

    def _abandon(self, number: int) -> None:
        if (claim := self._claims.pop(number, None)) is not None:
            claim.abandon()

    def _attempt(self, number: int) -> bool:
        """Try to open a claimed partition, and to read it; return whether it is read now."""
        intake = self._owner.intakes.get(number)
        if intake is None and monotonic() >= self._retries.get(number, 0.0):
            try:
                intake = self._open(number, self._claims[number])
            except Exception as error:  # noqa: BLE001 for example a full disk: other partitions are read meanwhile
                self._report(f"partition {number} cannot be opened: {type(error).__name__}: {error}")
                self._postpone(number, error)
        if intake is None or not self._read_from(number, intake.next):
            return False
        del self._claims[number]
        self._show_waiting()
        return True

    def _postpone(self, number: int, error: Exception) -> None:
        """Try again later, after the others; if no broker answers, these too: leases are renewed meanwhile."""
        from confluent_kafka import KafkaException

        self._claims[number] = self._claims.pop(number)
        for other in self._claims if isinstance(error, KafkaException) else [number]:
            self._retries[other] = monotonic() + _PAUSE

    def _open(self, number: int, claim: StateClaim) -> Intake | None:
        """Open a partition; None if it is still owned by another process."""
        if (lease := claim.attempt()) is None:
            return None
        timeout = max(min(_TIMEOUT, self._settings.lease / SECOND / 2), _RENEWAL)
        try:
            low, high = self._consumer.get_watermark_offsets(self._partition(number), timeout=timeout)
        except BaseException:
            lease.release()
            raise
        return self._owner.open(number, lease, low, high)

    def _read_from(self, number: int, offset: int) -> bool:
        """Read a partition from an offset; False if the client cannot do it yet."""
        from confluent_kafka import KafkaException

        partition = [self._partition(number, offset)]
        try:
            # Not seek(), which fails until the client has started to fetch, and after an invalid offset.
            self._consumer.incremental_unassign(partition)
            self._consumer.incremental_assign(partition)
            if self._is_held:
                self._consumer.pause(partition)
            else:
                self._consumer.resume(partition)
        except KafkaException as error:
            _LOG.debug("partition %s-%d: %s", self._address.topic, number, error)
            return False
        return True

    def _renew(self) -> None:
        for number, intake in list(self._owner.intakes.items()):
            try:
                intake.lease.renew()
            except FencedError as error:
                self._reopen(intake, str(error))
                continue
            if intake.outlet is not None and intake.outlet.error:
                self._reopen(intake, intake.outlet.error)
                continue
            if not self._is_held:
                _, end = self._consumer.get_watermark_offsets(self._partition(number), cached=True)
                # Negative until the client has fetched, and older than what was asked for meanwhile.
                intake.partition.end = max(end, intake.next, intake.partition.end or 0)
        if self._is_held:
            self._ask_ends()
        self._show_stalled()
        if monotonic() - self._troubled > _TROUBLE:
            self._owner.partitions.trouble = ""

    def _ask_ends(self) -> None:
        """Ask for the ends of partitions that are not fetched now, the oldest answers first, for a limited time."""
        until = monotonic() + _LOOKUP
        for number in sorted(self._owner.intakes, key=lambda number: self._asked.get(number, 0.0)):
            if monotonic() > until:
                break
            self._asked[number] = monotonic()
            if (found := self._watermarks(number, _LOOKUP)) is None:
                for intake in self._owner.intakes.values():
                    intake.partition.end = None
                break
            intake = self._owner.intakes[number]
            intake.partition.end = max(found[1], intake.next)

    def _watermarks(self, number: int, timeout: float) -> tuple[int, int] | None:
        """Return the offsets of the oldest message, and after the newest one; None if no broker answers."""
        from confluent_kafka import KafkaException

        try:
            return self._consumer.get_watermark_offsets(self._partition(number), timeout=timeout)
        except KafkaException as error:
            _LOG.debug("partition %s-%d: its end is unknown: %s", self._address.topic, number, error)
            return None

    def _count_partitions(self) -> None:
        """Ask how many partitions the topic has; while no broker answers, the number is the last known one."""
        from confluent_kafka import KafkaError, KafkaException

        now = monotonic()
        self._counted = now + _PAUSE - _COUNT  # asked again soon, unless there is an answer
        try:
            found = self._consumer.list_topics(self._address.topic, timeout=_RENEWAL).topics[self._address.topic]
        except (KafkaException, KeyError) as error:
            _LOG.debug("stream %s: the partitions cannot be counted: %s", self._address, error)
            return
        if found.error is None:
            self._owner.partitions.total, self._counted = len(found.partitions), now
            return
        # The consumer reports it once; it is a problem until the topic is created.
        is_missing = found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
        hint = "; create it, or correct --stream" if is_missing else ""
        self._report(f"topic {self._address.topic}: {found.error.str()}{hint}")

    def _commit(self) -> None:
        """Commit the offsets of new snapshots, so that other tools show the lag."""
        new = {
            number: intake.saved
            for number, intake in self._owner.intakes.items()
            if intake.saved is not None and intake.saved != self._committed.get(number)
        }
        if new:
            self._commit_offsets(new, wait=False)
            self._committed |= new

    def _commit_offsets(self, offsets: dict[int, int], wait: bool) -> None:
        from confluent_kafka import KafkaException

        wanted = [self._partition(number, offset) for number, offset in offsets.items()]
        try:
            if wait:
                self._consumer.commit(offsets=wanted, asynchronous=False)
            else:
                self._consumer.commit(offsets=wanted, asynchronous=True)
        except KafkaException as error:
            _LOG.debug("offsets were not committed: %s", error)

    def _partition(self, number: int, offset: int | None = None) -> "TopicPartition":
        from confluent_kafka import TopicPartition

        topic = self._address.topic
        return TopicPartition(topic, number) if offset is None else TopicPartition(topic, number, offset)

    def _show_waiting(self) -> None:
        partitions = self._owner.partitions
        partitions.waiting = frozenset(self._claims)
        partitions.is_ready = partitions.is_ready or (self._is_assigned and not self._claims)

    def _show_stalled(self) -> None:
        output, partitions = self._owner.output, self._owner.partitions
        found = f"{self._obstacle}; reading is paused" if self._obstacle else ""
        if not found and output is not None and output.is_stalled:
            found = output.waiting
        if found and not partitions.stalled:
            _LOG.warning("stream %s: %s", self._address, found)
        elif partitions.stalled and not found:
            _LOG.warning("stream %s: reading continues", self._address)
        partitions.stalled = found

    def _report(self, trouble: str) -> None:
        self._troubled = monotonic()
        if trouble != self._owner.partitions.trouble:
            _LOG.warning("stream %s: %s", self._address, trouble)
        self._owner.partitions.trouble = trouble


def _key(message: "KafkaMessage") -> str:
    key = message.key()
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else key or ""


def _content_type(message: "KafkaMessage") -> str:
    found = dict(message.headers() or ()).get("content-type")
    return found.decode("ascii", "replace") if isinstance(found, bytes) else ""
