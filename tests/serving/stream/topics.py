"""Writes samples to a topic as a sender does."""

import json
from collections.abc import Iterable, Sequence
from typing import Any


class Sender:
    """Writes samples keyed by device, so that all of a device are in one partition."""

    def __init__(self, brokers: str, topic: str) -> None:
        from confluent_kafka import Producer

        self.topic, self.sent = topic, 0
        # A sample is there as soon as it is sent: tests measure pauses.
        self._producer = Producer({"bootstrap.servers": brokers, "linger.ms": 0})

    def send(self, samples: Iterable[dict[str, Any]]) -> None:
        for sample in samples:
            self.message(json.dumps(sample).encode(), sample["device"])
        self._producer.poll(0)

    def message(
        self, value: bytes | None, key: str = "", partition: int = -1, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        where = {} if partition < 0 else {"partition": partition}
        while True:
            try:
                self._producer.produce(self.topic, value, key, headers=list(headers), **where)
                break
            except BufferError:
                self._producer.poll(0.1)
        self.sent += 1

    def flush(self) -> None:
        assert self._producer.flush(60) == 0
