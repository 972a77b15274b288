"""The risks of all scored samples in a topic: none is missing, whatever ends or is away."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from netops.errors import NetopsError, UsageError
from netops.serving.engine.work import SLICE
from netops.serving.stream import intake as intakes
from netops.serving.stream import output
from netops.serving.stream.messages import Message, parse_messages
from netops.serving.stream.output import Output
from netops.telemetry.kafka.address import StreamAddress, parse_output
from tests.broker.broker import Broker, running_broker
from tests.serving.hooks import free_port, until
from tests.serving.live import LiveServer
from tests.serving.samples import fleet, sample
from tests.serving.stream.outputs import answers, by_time, messages, without_repeats
from tests.serving.stream.process import Process, log_of
from tests.serving.stream.states import differing, partitions, reference
from tests.serving.stream.topics import Sender

SETTINGS = {"stream__session": "2s", "stream__lease": "1s", "state__snapshot_interval": "500ms"}


def serve(model: Path, state: Path, read: str, out: str, **more: Any) -> LiveServer:
    return LiveServer(model, state, stream__url=read, stream__out=out, **SETTINGS, **more)


def health(server: LiveServer) -> dict[str, Any]:
    return httpx.get(f"{server.url}/healthz", timeout=10).json()


def read(*servers: LiveServer) -> int:
    return sum(one["offset"] or 0 for server in servers for one in health(server)["partitions"])


def test_each_scored_sample_is_a_message_with_its_device_as_key(
    broker: Broker, model: Path, tmp_path: Path
) -> None:
    source, target = broker.create("out-in", 1), broker.create("out-out", 2)
    sender = Sender(broker.address, "out-in")
    sender.send([sample("a", tick, hot=tick > 2) for tick in range(5)])
    sender.message(json.dumps([sample("b", 0), {"device": "b"}, sample("b", 0), sample("b", 1)]).encode(), "b")
    sender.flush()
    with serve(model, tmp_path / "state", source, target) as server:
        until(lambda: read(server) == 6)
        assert server.stop() == 0
    found = messages(broker, "out-out")
    assert {key for key, _ in found} == {"a", "b"}
    assert all(key == value["device"] for key, value in found)
    values = sorted((value for _, value in found), key=lambda one: (one["origin"]["offset"], one["origin"]["row"]))
    origins = [(one["origin"]["offset"], one["origin"]["row"]) for one in values]
    assert origins == [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (5, 1)]
    assert {(one["origin"]["topic"], one["origin"]["partition"]) for one in values} == {("out-in", 0)}
    assert [one["alert"] for one in values] == [False, False, False, False, True, False, False]
    assert values[0]["timestamp"] == "2023-11-14T22:13:20Z"
    # Reasons are computed for samples above the threshold alone.
    assert ["reasons" in one for one in values] == [one["risk"] >= 0.5 for one in values]
    assert values[4]["reasons"][0].keys() >= {"feature", "contribution"}
    expected = answers(model, tmp_path / "reference", [sample("a", tick, hot=tick > 2) for tick in range(5)])
    assert by_time(values[:5]) == expected


@pytest.mark.slow
def test_processes_that_are_killed_and_stopped_write_every_sample(
    broker: Broker, model: Path, tmp_path: Path
) -> None:
    source, target = f"{broker.create('killed-in', 4)}?group=killed", broker.create("killed-out", 2)
    sender, samples = Sender(broker.address, "killed-in"), fleet(20, 600, seed=11)
    pieces = [samples[start : start + 1000] for start in range(0, len(samples), 1000)]
    with ExitStack() as started:

        def begin() -> LiveServer:
            return started.enter_context(serve(model, tmp_path / "state", source, target))

        servers = [begin(), begin()]
        for number, piece in enumerate(pieces):
            sender.send(piece)
            time.sleep(0.4)
            if number in (3, 8):  # kill -9, while messages are on their way
                servers.pop(0).kill()
                servers.append(begin())
            if number == 6:
                assert servers.pop(0).stop() == 0
        sender.flush()
        until(lambda: read(*servers) == len(samples), 60)
        for server in servers:
            assert server.stop() == 0
    found = messages(broker, "killed-out")
    kept = without_repeats(found)
    assert len(found) >= len(kept) == len(samples)
    expected = answers(model, tmp_path / "answers", samples)
    assert by_time(kept) == expected
    state, _ = partitions(model, tmp_path / "state")
    assert differing(state, reference(model, tmp_path / "reference", samples, 20)) == {}


@pytest.mark.slow
def test_reading_pauses_while_the_output_is_away(
    broker: Broker, require_broker: str, model: Path, tmp_path: Path
) -> None:
    """The process stays in its group, holds few messages, writes no snapshot, and continues by itself."""
    (tmp_path / "broker").mkdir()
    source = f"{broker.create('away-in', 2)}?group=away"
    sender, samples = Sender(broker.address, "away-in"), fleet(40, 1500, seed=12)
    with running_broker(require_broker, tmp_path / "broker") as own:
        target = own.create("away-out", 1)
        with serve(model, tmp_path / "state", source, target) as server:
            sender.send(samples[:400])
            sender.flush()
            until(lambda: read(server) == 400)
            own.stop()
            sender.send(samples[400:])
            sender.flush()
            until(lambda: "reading is paused" in str(health(server)["problems"]), 30)
            assert health(server)["status"] == "degraded"
            before = read(server)
            time.sleep(3)  # longer than the session
            assert read(server) == before < len(samples) // 2
            assert {one["status"] for one in health(server)["partitions"]} == {"owned"}
            # What is sent while nothing is read counts as waiting, too.
            more = fleet(40, 100, seed=13, first=1500)
            sender.send(more)
            sender.flush()
            samples += more
            until(lambda: sum(one["lag"] for one in health(server)["partitions"]) == len(samples) - before)
            own.start()
            until(lambda: read(server) == len(samples), 90)
            until(lambda: health(server)["status"] == "ok", 40)
            assert server.stop() == 0
        found = messages(own, "away-out")
    kept = without_repeats(found)
    assert len(kept) == len(samples)
    assert by_time(kept) == answers(model, tmp_path / "answers", samples)


@pytest.mark.slow
def test_a_process_that_stops_without_the_output_saves_nothing_that_is_not_written(
    broker: Broker, require_broker: str, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "broker").mkdir()
    source = f"{broker.create('stops-in', 1)}?group=stops"
    sender, samples = Sender(broker.address, "stops-in"), fleet(10, 40, seed=13)
    with running_broker(require_broker, tmp_path / "broker") as own:
        target = own.create("stops-out", 1)
        with serve(model, tmp_path / "state", source, target) as server:
            sender.send(samples[:200])
            sender.flush()
            until(lambda: read(server) == 200)
            time.sleep(1)
            own.stop()
            sender.send(samples[200:])
            sender.flush()
            until(lambda: read(server) == 400)
            assert server.stop() == 0
        own.start()
        with serve(model, tmp_path / "state", source, target) as server:
            until(lambda: read(server) == 400, 30)
            assert server.stop() == 0
        assert by_time(without_repeats(messages(own, "stops-out"))) == answers(model, tmp_path / "a", samples)


@pytest.mark.slow
def test_messages_that_the_brokers_reject_are_reported_and_written_later(
    broker: Broker, model: Path, tmp_path: Path
) -> None:
    source = broker.create("rejected-in", 1)
    target = broker.create("rejected-out", 1, max_message_bytes="100")
    sender, samples = Sender(broker.address, "rejected-in"), fleet(5, 20, seed=14)
    with serve(model, tmp_path / "state", source, target) as server:
        sender.send(samples)
        sender.flush()
        until(lambda: "Message size too large" in str(health(server)["problems"]), 60)
        _allow(broker, "rejected-out")
        until(lambda: read(server) == len(samples) and len(messages(broker, "rejected-out")) >= len(samples), 60)
        metrics = httpx.get(f"{server.url}/metrics").text
        assert server.stop() == 0
    assert 'netops_stream_output_messages_total{network="demo",result="failed"}' in metrics
    kept = without_repeats(messages(broker, "rejected-out"))
    assert by_time(kept) == answers(model, tmp_path / "answers", samples)


def _allow(broker: Broker, topic: str) -> None:
    from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

    entry = ConfigEntry("max.message.bytes", "1000000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource("topic", topic, incremental_configs=[entry])
    client = AdminClient({"bootstrap.servers": broker.address})
    for future in client.incremental_alter_configs([resource]).values():
        future.result(20)


@pytest.fixture
def away() -> Iterator[Output]:
    """An output whose brokers do not answer."""
    found = Output(StreamAddress(f"127.0.0.1:{free_port()}", "out"))
    yield found
    found.stop()
    assert (found.counts.waiting, found.counts.written) == (0, 0)


def test_no_snapshot_is_written_while_its_messages_wait(
    away: Output, model: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(output, "_STALLED", 0.2)
    log = log_of([sample("a", tick) for tick in range(20)])
    with Process(model, tmp_path, output=away) as process:
        intake = process.open(log)
        process.feed(intake, log)
        assert (away.counts.queued, away.has_room(20, 0.0), away.has_room(19, 0.01)) == (20, True, False)
        until(lambda: away.is_stalled)
        assert away.waiting.startswith(f"output {away.address}: 20 messages wait: ")
        process.save()
        assert intake.saved is None
        away.finish([intake.outlet], 60)  # returns at once: it is stalled
        assert process.owner.release(0) is None
    with Process(model, tmp_path) as process:
        assert process.open(log).next == 0


class Slow:
    """A producer that has been called, and has not queued the message yet."""

    def __init__(self, producer: Any) -> None:
        self._producer, self.is_called = producer, threading.Event()

    def produce(self, *message: Any, **options: Any) -> None:
        self.is_called.set()
        time.sleep(0.5)
        self._producer.produce(*message, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)


def test_a_message_for_a_producer_that_is_replaced_meanwhile_fails(away: Output) -> None:
    slow = away._producer = Slow(away._producer)
    outlet = output.Outlet(away, "t", 0)
    thread = threading.Thread(target=outlet._produce, args=(b"value", "key"))
    thread.start()
    assert slow.is_called.wait(20)
    away._replace(RuntimeError("fatal"))
    thread.join()
    until(lambda: outlet.error != "")
    assert not outlet.is_written


def test_a_snapshot_waits_for_a_slow_output_but_not_at_the_end(away: Output, model: Path, tmp_path: Path) -> None:
    log = log_of([sample("a", tick) for tick in range(20)])
    with Process(model, tmp_path, output=away) as process:
        intake = process.open(log)
        process.feed(intake, log)
        saving = process.owner.submit(process.owner.save())
        time.sleep(0.3)
        assert not saving.done()
        away.is_ending = True
        saving.result(5)
        assert intake.saved is None


def test_a_partition_that_waits_for_the_output_does_not_stop_the_snapshots_of_others(
    away: Output, model: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(output, "LIMIT", 10)
    monkeypatch.setattr(output, "_STALLED", 60.0)
    monkeypatch.setattr(intakes, "_PATIENCE", 0.2)
    read = [Message(0, json.dumps(fleet(4, 10, seed=16)).encode())]
    with Process(model, tmp_path, output=away) as process:
        waiting, other = process.open(read), process.open([], number=1)
        parsed = list(parse_messages(waiting.pipeline, read))
        running = process.owner.submit(waiting.process(read, parsed))
        until(lambda: away.counts.waiting == 40)
        process.save()
        assert (waiting.saved, other.saved) == (None, 0)
        assert not running.done()
        away.is_ending = True
        running.result(10)


def test_a_sample_that_cannot_be_queued_is_in_no_snapshot(away: Output, model: Path, tmp_path: Path) -> None:
    from confluent_kafka import Producer

    log = log_of([sample("a", tick) for tick in range(20)])
    away._producer.purge()
    small = {"bootstrap.servers": away.address.brokers, "queue.buffering.max.messages": 10, "log_level": 0}
    away._producer = Producer(small)
    with Process(model, tmp_path, output=away) as process:
        intake = process.open(log)
        with pytest.raises(NetopsError, match="Queue full"):
            process.feed(intake, log)
        assert len(intake.runtime.state.table) == 1  # the state is ahead of the offset
        process.save()
        assert intake.saved is None
        assert process.owner.release(0) is None


@pytest.mark.slow
def test_one_message_may_have_more_samples_than_the_output_has_room_for(
    broker: Broker, model: Path, tmp_path: Path, monkeypatch
) -> None:
    from confluent_kafka import Producer

    broker.create("large-out", 1)
    monkeypatch.setattr(output, "LIMIT", 100)
    made = Output(StreamAddress(broker.address, "large-out"))
    room = output.LIMIT + SLICE
    small = {"bootstrap.servers": broker.address, "queue.buffering.max.messages": room, "linger.ms": 5}
    made._producer = Producer(small)
    samples = fleet(40, 100, seed=15)
    with Process(model, tmp_path, output=made) as process:
        intake = process.open([json.dumps(samples).encode()])
        process.feed(intake, [json.dumps(samples).encode()])
        process.save()
        assert (intake.saved, made.counts.written) == (1, len(samples))
    made.stop()
    assert len(without_repeats(messages(broker, "large-out"))) == len(samples) > 2 * room


@pytest.mark.parametrize(
    ("out", "url", "message"),
    [
        ("kafka://b/out", "", "needs a topic to read"),
        ("kafka://b,c/t", "kafka://c,d/t", "another topic than the one that is read"),
        ("http://b/out", "kafka://b/t", "expected kafka://host:port/topic"),
    ],
)
def test_invalid_outputs_are_refused(out: str, url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_output(out, url)


def test_an_output_may_be_a_topic_of_the_same_name_elsewhere() -> None:
    assert parse_output("", "kafka://b/t") is None
    found = parse_output("kafka://other/t", "kafka://b/t")
    assert found is not None
    assert str(found) == "kafka://other/t"
