"""A server that reads a topic of a real broker."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.broker.broker import Broker, running_broker
from tests.serving.hooks import until
from tests.serving.live import LiveServer
from tests.serving.samples import fleet, sample
from tests.serving.stream.states import differing, partitions, reference
from tests.serving.stream.topics import Sender

SETTINGS = {"stream__session": "2s", "stream__lease": "1s", "state__snapshot_interval": "500ms"}


@pytest.fixture
def serve(model: Path, tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    started: list[LiveServer] = []

    def start(address: str, **more: Any) -> LiveServer:
        started.append(LiveServer(model, tmp_path / "state", stream__url=address, **SETTINGS, **more))
        return started[-1]

    yield start
    for server in started:
        server.__exit__()


def get(server: LiveServer, path: str) -> Any:
    return httpx.get(server.url + path, timeout=10).raise_for_status().json()


def offsets(server: LiveServer) -> dict[int, int]:
    return {one["partition"]: one["offset"] for one in get(server, "/healthz")["partitions"] if one["offset"]}


def read(server: LiveServer) -> int:
    return sum(offsets(server).values())


def test_all_partitions_of_a_process_are_one_view(broker: Broker, serve, tmp_path) -> None:
    address = broker.create("view", 3)
    sender, samples = Sender(broker.address, "view"), fleet(12, 30)
    sender.send(samples)
    sender.flush()
    server = serve(f"{address}?group=view")
    until(lambda: read(server) == len(samples))
    health = get(server, "/healthz")
    assert [one["partition"] for one in health["partitions"]] == [0, 1, 2]
    assert {one["status"] for one in health["partitions"]} == {"owned"}
    until(lambda: all(one["lag"] == 0 for one in get(server, "/healthz")["partitions"]))
    assert (health["status"], health["devices"]) == ("ok", 12)
    names = {f"d{device}" for device in range(12)}
    devices = get(server, "/devices")
    assert {one["device"] for one in devices} == names
    assert get(server, "/devices?limit=5&offset=4") == devices[4:9]
    assert len(get(server, "/history?device=d7")["times"]) == 30
    assert httpx.get(server.url + "/history?device=other").status_code == 404

    everything = get(server, "/fleet")
    assert (everything["known"], set(everything["devices"])) == (12, names)
    assert get(server, f"/fleet?since={everything['cursor']}")["devices"] == []
    sender.send([sample("d3", 31), sample("d4", 31)])
    sender.flush()
    until(lambda: read(server) == len(samples) + 2)
    delta = get(server, f"/fleet?since={everything['cursor']}")
    assert set(delta["devices"]) == {"d3", "d4"}
    assert set(get(server, "/fleet?since=7")["devices"]) == names  # the cursor of another process

    alerts = get(server, "/alerts")
    assert len({one["device"] for one in alerts}) > 3
    assert alerts == sorted(alerts, key=lambda one: (one["opened"], one["id"]), reverse=True)
    assert get(server, "/alerts?all=true&limit=2") == get(server, "/alerts?all=true")[:2]
    for alert in alerts[:3]:
        answer = httpx.post(f"{server.url}/alerts/{alert['id']}/feedback", json={"verdict": "confirmed"})
        assert answer.json()["alert"]["device"] == alert["device"]
    assert httpx.post(f"{server.url}/alerts/0000/feedback", json={"verdict": "confirmed"}).status_code == 404
    given = [{"device": name, "start": "2023-11-14T23:00:00Z"} for name in ("d1", "d2", "d3", "d4", "x")]
    recorded = httpx.post(f"{server.url}/incidents", json=given).json()
    assert (recorded["recorded"], recorded["unknown_devices"]) == (5, ["x"])
    assert httpx.post(f"{server.url}/incidents", json=given).json()["known"] == 5
    feedback = get(server, "/feedback")
    assert (len(feedback["incidents"]), len(feedback["verdicts"])) == (5, 3)

    metrics = httpx.get(server.url + "/metrics").text
    assert 'netops_devices{network="demo"} 12.0' in metrics
    assert 'netops_samples_total{network="demo",status="scored"} 362.0' in metrics
    assert 'netops_model_info{network="demo",version="v1"} 1.0' in metrics
    assert metrics.count("netops_device_risk{") == 12
    assert f'netops_stream_offset{{network="demo",partition="0",topic="view"}} {offsets(server)[0]}.0' in metrics

    for path in ("/telemetry", "/api/v1/write"):
        answer = httpx.post(server.url + path, content=b"{}")
        assert (answer.status_code, "topic view" in answer.text) == (409, True)
    scored = httpx.post(server.url + "/v2/models/netops/infer", json={"inputs": [[0.0] * 44]})
    assert scored.status_code == 200
    assert server.stop() == 0
    _committed(broker, "view", offsets_of_state(tmp_path))


def offsets_of_state(folder: Path) -> dict[int, int]:
    import msgspec

    from netops.serving.engine.restore import _frames
    from netops.serving.engine.snapshot import Head

    found = {}
    for path in (folder / "state" / "partitions").glob("*/g*/state.bin"):
        number = int(path.parents[1].name.rpartition("-")[2])
        found[number] = msgspec.msgpack.decode(next(_frames(path)), type=Head).offset
    return found


def _committed(broker: Broker, name: str, expected: dict[int, int]) -> None:
    """The offsets in Kafka are those of the snapshots."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": name})
    found = consumer.committed([TopicPartition(name, number) for number in expected], timeout=10)
    assert {one.partition: one.offset for one in found} == expected
    consumer.close()


def test_the_formats_of_messages_and_their_dead_letters(broker: Broker, serve, tmp_path) -> None:
    address = broker.create("formats", 1)
    sender = Sender(broker.address, "formats")
    listed = json.dumps([sample("a", 0), sample("b", 0)]).encode()
    sender.message(listed)
    sender.message(json.dumps(sample("a", 1)).encode() + b"\n" + json.dumps(sample("b", 1)).encode())
    sender.message(b"nothing", headers=[("content-type", b"application/vnd.apache.arrow.stream")])
    sender.message(None)  # a tombstone
    sender.message(b'{"device": "a"}')
    sender.message(json.dumps(sample("a", 2)).encode(), headers=[("Content-Type", b"application/json")])
    sender.flush()
    server = serve(f"{address}?group=formats")
    until(lambda: read(server) == 6)
    assert {one["device"]: one["last"] for one in get(server, "/devices")} == {
        "a": "2023-11-14T22:13:30Z",
        "b": "2023-11-14T22:13:25Z",
    }
    (file,) = (tmp_path / "state").glob("partitions/formats-0/g*/dead-letters.jsonl")
    letters = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(one["topic"], one["partition"], one["offset"]) for one in letters] == [
        ("formats", 0, 2),
        ("formats", 0, 3),
        ("formats", 0, 4),
    ]


def test_a_stopped_process_loses_its_partitions_and_gives_them_up(broker: Broker, serve, model, tmp_path) -> None:
    """SIGSTOP: the group excludes the process, another takes over, and it writes nothing when it continues."""
    address = broker.create("stopped", 2)
    sender, samples = Sender(broker.address, "stopped"), fleet(10, 200, seed=1)
    expected = reference(model, tmp_path / "reference", samples, 10)
    first = serve(f"{address}?group=stopped")
    sender.send(samples[:800])
    sender.flush()
    until(lambda: read(first) == 800)
    first.process.send_signal(signal.SIGSTOP)
    second = serve(f"{address}?group=stopped")
    sender.send(samples[800:])
    sender.flush()
    until(lambda: read(second) == len(samples), 30)
    first.process.send_signal(signal.SIGCONT)
    until(lambda: len(offsets(first)) == 1 and len(offsets(second)) == 1, 30)
    until(lambda: read(first) + read(second) == len(samples), 30)
    assert first.stop() == 0
    assert second.stop() == 0
    found, ends = partitions(model, tmp_path / "state")
    assert sum(ends.values()) == len(samples)
    assert differing(found, expected) == {}


def test_deleted_messages_are_reported_and_reading_goes_on(broker: Broker, serve) -> None:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

    address = broker.create("deleted", 1)
    sender = Sender(broker.address, "deleted")
    sender.send([sample("a", tick) for tick in range(20)])
    sender.flush()
    server = serve(f"{address}?group=deleted")
    until(lambda: read(server) == 20)
    assert server.stop() == 0
    sender.send([sample("a", tick) for tick in range(20, 60)])
    sender.flush()
    client = AdminClient({"bootstrap.servers": broker.address})
    for future in client.delete_records([TopicPartition("deleted", 0, 50)]).values():
        future.result(10)
    server = serve(f"{address}?group=deleted")
    until(lambda: read(server) == 60)
    assert len(get(server, "/history?device=a")["times"]) == 30
    text = httpx.get(server.url + "/metrics").text
    assert 'netops_stream_messages_total{network="demo",result="missing"} 30.0' in text


def test_a_topic_that_is_made_later_is_read(broker: Broker, serve) -> None:
    server = serve(f"kafka://{broker.address}/later?group=later")
    broker.create("later", 2)
    sender = Sender(broker.address, "later")
    sender.send(fleet(4, 5))
    sender.flush()
    until(lambda: read(server) == 20, 60)


def test_a_partition_that_cannot_be_opened_does_not_stop_the_others(broker: Broker, serve, tmp_path) -> None:
    address = broker.create("broken", 2)
    sender = Sender(broker.address, "broken")
    for tick in range(20):
        for number in range(2):
            sender.message(json.dumps(sample(f"d{number}", tick)).encode(), partition=number)
    sender.flush()
    folder = tmp_path / "state" / "partitions" / "broken-0"
    folder.parent.mkdir(parents=True)
    folder.write_text("not a folder")
    server = serve(f"{address}?group=broken")
    until(lambda: offsets(server) == {1: 20})
    health = get(server, "/healthz")
    assert [one["status"] for one in health["partitions"]] == ["waiting", "owned"]
    assert "partition 0 cannot be opened: FileExistsError" in health["problems"][0]
    answer = httpx.get(server.url + "/readyz")
    assert answer.status_code == 503
    assert "topic broken: partitions 0 are not open yet: partition 0 cannot be opened" in answer.text
    folder.unlink()
    until(lambda: offsets(server) == {0: 20, 1: 20})
    until(lambda: httpx.get(server.url + "/readyz").status_code == 200)


def test_a_process_is_ready_with_its_first_assignment_even_an_empty_one(broker: Broker, serve) -> None:
    address = f"{broker.create('first', 1)}?group=first"
    servers = [serve(address) for _ in range(2)]
    for server in servers:
        until(lambda server=server: httpx.get(server.url + "/readyz").status_code == 200, 30)
    assert sorted(len(get(server, "/healthz")["partitions"]) for server in servers) == [0, 1]


def test_without_a_broker_a_process_is_not_ready(serve) -> None:
    server = serve("kafka://127.0.0.1:9/t?group=none")
    until(lambda: "no partitions have been assigned yet: " in httpx.get(server.url + "/readyz").text)
    assert httpx.get(server.url + "/readyz").status_code == 503
    assert get(server, "/healthz")["status"] == "degraded"


@pytest.mark.slow
def test_a_broker_that_restarts_is_read_again(require_broker, serve, tmp_path) -> None:
    (tmp_path / "broker").mkdir()
    with running_broker(require_broker, tmp_path / "broker") as own:
        sender = Sender(own.address, "restart")
        server = serve(own.create("restart", 2))
        sender.send(fleet(4, 10))
        sender.flush()
        until(lambda: read(server) == 40, 30)
        own.stop()
        until(lambda: get(server, "/healthz")["status"] == "degraded", 30)
        assert len(get(server, "/devices")) == 4
        own.start()
        sender.send(fleet(4, 10, first=10))
        sender.flush()
        until(lambda: read(server) == 80, 60)
        until(lambda: get(server, "/healthz")["status"] == "ok", 40)
        assert get(server, "/alerts") is not None
        assert server.stop() == 0


def test_without_the_client_the_error_is_one_line(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['confluent_kafka'] = None\n"
        "from netops.cli.main import main; sys.argv = ['netops', 'serve', '--stream', 'kafka://b:9092/t']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"NETOPS_HOME": str(tmp_path)},
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("pip install 'netops[kafka]'")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stream", "http://b/t"], "kafka://host:port/topic"),
        (["--stream", "kafka://b/t?security.protocol=none"], 'Invalid value "none" for configuration property'),
        (
            ["--stream", "kafka://b/t", "--syslog", "127.0.0.1:5514"],
            "send the lines to the topic, or unset --syslog",
        ),
    ],
)
def test_invalid_options_are_refused_before_anything_starts(
    tmp_path: Path, options: list[str], message: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "netops.cli.main", "serve", "--port", "0", *options],
        capture_output=True,
        text=True,
        env=os.environ | {"NETOPS_HOME": str(tmp_path)},
    )
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
