"""The Kafka client (librdkafka)."""

import logging
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from netops.config.durations import MINUTE
from netops.errors import UsageError
from netops.telemetry.kafka.address import StreamAddress

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Producer

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_PRODUCER_LOG = _LOG.getChild("producer")
#: The client warns at each start that enable.gapless.guarantee is experimental.
_PRODUCER_LOG.addFilter(lambda record: not record.getMessage().startswith("CONFWARN"))
_MILLISECOND = 1_000_000
#: How often a member reports to the group: it learns of a reassignment within this time.
_HEARTBEAT = 500 * _MILLISECOND


def make_consumer(address: StreamAddress, session: int, on_error: Callable[[str], None]) -> "Consumer":
    """Create a consumer that never commits by itself.

    Parameters
    ----------
    address : StreamAddress
    session : int
        Nanoseconds without contact after which the group excludes the process.
    on_error : callable
        Called with a message while no broker can be reached.

    Raises
    ------
    UsageError
        If the client is not installed, or rejects a property.
    """
    own: dict[str, object] = {
        "group.id": address.group,
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "session.timeout.ms": session // _MILLISECOND,
        "heartbeat.interval.ms": min(_HEARTBEAT, session // 3) // _MILLISECOND,
        "max.poll.interval.ms": 5 * MINUTE // _MILLISECOND,
        "queued.max.messages.kbytes": 16_384,
        "fetch.wait.max.ms": 100,
    }

    def report(error: "KafkaError") -> None:
        on_error(error.str())

    _require_client()
    from confluent_kafka import Consumer

    return _made(Consumer, address, own | {"error_cb": report, "logger": _LOG})


def check_client(address: StreamAddress) -> None:
    """Check that the client is installed, and accepts the properties of an address.

    Raises
    ------
    UsageError
        If it does not.
    """
    make_consumer(address, MINUTE, _LOG.debug).close()


def make_producer(
    address: StreamAddress, timeout: float, on_error: "Callable[[KafkaError], None] | None" = None
) -> "Producer":
    """Create a producer whose messages are written once and in order.

    Parameters
    ----------
    address : StreamAddress
    timeout : float
        Seconds after which a message that no broker has accepted fails. 0: never; then no message is written after
        one that was rejected, and the producer must be replaced.
    on_error : callable, optional
        Called with errors of the client, for example while no broker can be reached.

    Raises
    ------
    UsageError
        If the client is not installed, or rejects a property.
    """
    _require_client()
    from confluent_kafka import Producer

    own: dict[str, object] = {"enable.idempotence": True, "linger.ms": 5, "logger": _PRODUCER_LOG}
    own["message.timeout.ms"] = round(1000 * timeout)
    own["enable.gapless.guarantee"] = timeout == 0
    own |= {"queue.buffering.max.messages": 1_000_000, "queue.buffering.max.kbytes": 262_144}
    if on_error is not None:
        own["error_cb"] = on_error
    return _made(Producer, address, own)


def _made(kind: Callable[[dict[str, object]], T], address: StreamAddress, own: Mapping[str, object]) -> T:
    from confluent_kafka import KafkaException

    try:
        return kind({**address.client(), **own})
    except (KafkaException, ValueError) as error:
        raise UsageError(f"stream {address}: {error}") from None


def _require_client() -> None:
    if find_spec("confluent_kafka") is None:
        raise UsageError(
            "streams require the package confluent-kafka (in an image: make image EXTRAS=kafka): "
            "pip install 'netops[kafka]'"
        )
