"""Reads the topic of an output as its consumers do."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from netops.serving.engine.champion import FixedModel
from netops.serving.engine.pipeline import Pipeline
from netops.serving.engine.runtime import Runtime
from tests.broker.broker import Broker
from tests.serving.samples import body


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


def answers(model: Path, folder: Path, samples: list[dict]) -> dict[tuple[str, str], tuple]:
    """Device and time → risk and alert, of one process that is sent the same samples."""
    runtime = Runtime("demo", FixedModel("v1", model), folder=folder)
    pipeline = Pipeline(runtime)
    found = [
        one for start in range(0, len(samples), 500) for one in pipeline.run(body(*samples[start : start + 500]))
    ]
    runtime.close()
    return {(one.device, one.timestamp): (one.risk, one.alert) for one in found}


def by_time(values: list[dict]) -> dict[tuple[str, int], tuple]:
    """Device and time → risk and alert, of an output."""
    found = {}
    for one in values:
        assert one["model"] == "v1"
        moment = int(datetime.fromisoformat(one["timestamp"]).timestamp())
        found[one["device"], moment] = one["risk"], one["alert"]
    return found
