"""Reads the topic of an output as its consumers do."""

import json
from collections.abc import Sequence
from typing import Any

from tests.broker.broker import Broker


def messages(broker: Broker, topic: str) -> list[tuple[str, dict[str, Any]]]:
    """All messages of a topic: key and value, by partition in their order."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "none", "enable.auto.commit": False})
    numbers = list(consumer.list_topics(topic, 20).topics[topic].partitions)
    ends = {number: consumer.get_watermark_offsets(TopicPartition(topic, number), 20)[1] for number in numbers}
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers])
    found: dict[int, list[tuple[str, dict[str, Any]]]] = {number: [] for number in numbers}
    while any(len(found[number]) < end for number, end in ends.items()):
        message = consumer.poll(20)
        assert message is not None, f"{ {number: len(one) for number, one in found.items()} } of {ends}"
        assert message.error() is None, message.error()
        found[message.partition()].append((message.key().decode(), json.loads(message.value())))
    consumer.close()
    return [one for number in numbers for one in found[number]]


def without_repeats(found: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Drop what was written again: a message that is not after the last one of its device, by its origin."""
    last: dict[str, tuple[int, int]] = {}
    kept = []
    for device, value in found:
        position = value["origin"]["offset"], value["origin"]["row"]
        if position > last.get(device, (-1, -1)):
            last[device] = position
            kept.append(value)
    return kept
