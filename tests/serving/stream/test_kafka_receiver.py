"""Alert events in a topic."""

import json

import pytest

from netops.errors import UsageError
from netops.serving.alerts.receivers import kafka
from netops.serving.alerts.receivers.kafka import KafkaTopic
from netops.serving.alerts.receivers.protocol import FailedError
from netops.serving.alerts.receivers.registry import make_receiver
from netops.serving.alerts.store import Alert
from netops.serving.settings import ReceiverSettings
from tests.broker.broker import Broker
from tests.serving.hooks import free_port
from tests.serving.live import LiveServer
from tests.serving.samples import sample
from tests.serving.stream.topics import Sender


def read(broker: Broker, topic: str, count: int) -> list[tuple[str, dict]]:
    from confluent_kafka import Consumer

    properties = {"bootstrap.servers": broker.address, "group.id": "reader", "auto.offset.reset": "earliest"}
    consumer = Consumer(properties)
    consumer.subscribe([topic])
    found = []
    while len(found) < count:
        message = consumer.poll(20)
        assert message is not None, f"{len(found)} of {count} events"
        found.append((message.key().decode(), json.loads(message.value())))
    consumer.close()
    return found


def alert(device: str | None, **more: str) -> Alert:
    return Alert(
        id=f"id-{device}", kind="risk", network="demo", device=device, opened="2026-01-01T00:00:00Z", **more
    )


def test_events_are_keyed_by_device(broker: Broker) -> None:
    receiver = make_receiver("kafka", broker.create("events", 1))
    receiver.send([("opened", alert("a")), ("ended", alert("a")), ("opened", alert(None, site="company/x"))])
    receiver.close()
    found = read(broker, "events", 3)
    assert [(key, one["event"]) for key, one in found] == [("a", "opened"), ("a", "ended"), ("company/x", "opened")]
    assert found[0][1]["alert"]["id"] == "id-a"


def test_brokers_that_do_not_answer_are_a_failure_that_is_retried(broker: Broker, monkeypatch) -> None:
    monkeypatch.setattr(kafka, "TIMEOUT", 0.5)
    receiver = KafkaTopic(f"kafka://127.0.0.1:{free_port()}/events")
    with pytest.raises(FailedError, match="events: "):
        receiver.send([("opened", alert("a"))])
    receiver.close()


def test_an_invalid_address_is_refused_with_the_settings() -> None:
    with pytest.raises(UsageError, match="expected kafka://host:port/path"):
        ReceiverSettings("kafka", "http://broker/topic")
    with pytest.raises(UsageError, match="expected a topic name"):
        make_receiver("kafka", "kafka://broker:9092")


def test_from_a_topic_to_a_topic(broker: Broker, model, tmp_path) -> None:
    source, target = broker.create("samples-in", 2), broker.create("alerts-out", 1)
    sender = Sender(broker.address, "samples-in")
    sender.send([sample(device, tick, hot=tick > 5) for tick in range(10) for device in ("a", "b", "c")])
    sender.flush()
    receivers = json.dumps([{"kind": "kafka", "url": target}])
    with LiveServer(model, tmp_path / "state", stream__url=source, receivers=receivers) as server:
        found = read(broker, "alerts-out", 3)
        assert server.stop() == 0
    assert {(key, one["event"], one["alert"]["kind"]) for key, one in found} == {
        (device, "opened", "risk") for device in ("a", "b", "c")
    }
