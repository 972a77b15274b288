"""The thread that reads a topic, turn by turn, while no broker answers."""

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from netops.config.durations import SECOND
from netops.serving.settings import StreamSettings
from netops.serving.stream.reader import StreamReader
from netops.telemetry.kafka.address import StreamAddress
from netops.telemetry.kafka.client import make_consumer
from tests.broker.broker import Broker
from tests.serving.hooks import free_port, until
from tests.serving.stream.process import Process


class Counting:
    """A consumer that counts the look-ups of offsets."""

    def __init__(self, consumer: Any) -> None:
        self._consumer, self.asked = consumer, []

    def get_watermark_offsets(self, partition: Any, **options: Any) -> Any:
        self.asked.append(partition.partition)
        return self._consumer.get_watermark_offsets(partition, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


@pytest.fixture
def reader(model: Path, tmp_path: Path) -> Iterator[StreamReader]:
    address = StreamAddress(f"127.0.0.1:{free_port()}", "t")
    with Process(model, tmp_path, address=address) as process:
        made = StreamReader(address, StreamSettings(lease=2 * SECOND), process.owner)
        made._consumer = Counting(make_consumer(address, 10 * SECOND, made._report))
        yield made
        made._consumer.close()


def test_a_turn_waits_for_the_brokers_once_however_many_partitions_are_claimed(reader: StreamReader) -> None:
    """Leases are renewed once a turn."""
    reader._claim(range(4))
    reader._turn()
    assert reader._consumer.asked == [0]
    assert list(reader._claims) == [1, 2, 3, 0]
    assert "partition 0 cannot be opened" in reader._owner.partitions.trouble
    while len(reader._consumer.asked) < 2:
        reader._turn()
    assert reader._consumer.asked == [0, 1]


def test_a_reader_that_stops_opens_nothing_more(reader: StreamReader) -> None:
    reader._claim(range(4))
    reader._stopping.set()
    reader._turn()
    assert reader._consumer.asked == []


def test_partitions_are_released_side_by_side(reader: StreamReader, monkeypatch: pytest.MonkeyPatch) -> None:
    reader._claim(range(4))
    for number in range(4):
        lease = reader._claims.pop(number).attempt()
        assert lease is not None
        reader._owner.open(number, lease, 0, 0)
    release, together = reader._owner.release, Barrier(4)

    def release_with_the_others(number: int) -> int | None:
        together.wait(10)
        return release(number)

    monkeypatch.setattr(reader._owner, "release", release_with_the_others)
    reader._release(range(4), is_member=False)
    assert reader._owner.intakes == {}


def test_a_topic_that_is_missing_is_reported_until_it_is_created(
    broker: Broker, model: Path, tmp_path: Path
) -> None:
    address = StreamAddress(broker.address, "created-late")
    with Process(model, tmp_path, address=address) as process:
        reader, partitions = StreamReader(address, StreamSettings(), process.owner), process.owner.partitions
        reader._consumer = make_consumer(address, 10 * SECOND, reader._report)
        for _ in range(2):
            partitions.trouble = ""
            reader._count_partitions()
            assert partitions.trouble.startswith("topic created-late: ")
            assert partitions.trouble.endswith("; create it, or correct --stream")
        broker.create("created-late", 3)
        until(lambda: reader._count_partitions() or partitions.total == 3, 20)
        reader._consumer.close()


def test_the_lag_is_unknown_while_the_output_is_away_and_no_broker_answers(reader: StreamReader) -> None:
    reader._claim([0])
    lease = reader._claims.pop(0).attempt()
    assert lease is not None
    intake = reader._owner.open(0, lease, 0, 7)
    assert intake.partition.lag == 7
    reader._is_held = True
    reader._renew()
    assert (reader._consumer.asked, intake.partition.lag) == ([0], None)
