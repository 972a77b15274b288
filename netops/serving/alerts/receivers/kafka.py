"""A Kafka topic."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from netops.serving.alerts.receivers.protocol import TIMEOUT, AlertEvent, FailedError
from netops.telemetry.kafka.address import parse_stream
from netops.telemetry.kafka.client import make_producer

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer


class KafkaTopic:
    """Writes ``{"event": …, "alert": {…}}`` to a topic; the device or site of the alert is the key."""

    repeat: float | None = None
    batch = 100

    def __init__(self, url: str) -> None:
        self._address = parse_stream(url)
        self._producer: Producer | None = None

    def send(self, events: Sequence[AlertEvent]) -> None:
        """Write the events, and wait until the brokers have them."""
        producer = self._producer = self._producer or make_producer(self._address, TIMEOUT)
        failed: list[str] = []
        for event, alert in events:
            value = msgspec.json.encode({"event": event, "alert": alert})
            producer.produce(self._address.topic, value, alert.device or alert.site, on_delivery=_add_to(failed))
        if producer.flush(2 * TIMEOUT) or failed:
            raise FailedError(f"{self._address}: {failed[0] if failed else 'the brokers do not answer'}")

    def close(self) -> None:
        """Give up what has not been written."""
        if self._producer is not None:
            self._producer.purge()


def _add_to(failed: list[str]) -> "Callable[[KafkaError | None, Message], None]":
    def delivered(error: "KafkaError | None", _message: "Message") -> None:
        if error is not None:
            failed.append(error.str())

    return delivered
