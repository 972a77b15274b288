"""The function on a real Nuclio processor, without a cluster around it.

=============================  ===========================================================================
NETOPS_TEST_NUCLIO_PROCESSOR   the processor's program (Nuclio's cmd/processor)
NETOPS_TEST_NUCLIO_WRAPPER     Nuclio's Python wrapper, _nuclio_wrapper.py
=============================  ===========================================================================

The broker of the streams is that of tests/broker.
"""

import os
import signal
import time
from collections import Counter

import pytest

from netops.serving.engine.champion import ChampionFile
from tests.broker.broker import running_broker
from tests.cluster.processor import TOKEN, Processor
from tests.serving.hooks import Hook, until
from tests.serving.models import make_model
from tests.serving.samples import fleet, sample
from tests.serving.stream.conftest import broker, require_broker  # noqa: F401 fixtures
from tests.serving.stream.outputs import answers, by_time, messages, without_repeats
from tests.serving.stream.states import differing, partitions, reference
from tests.serving.stream.test_nuclio_stream import DEVICES, PARTITIONS, STREAM, TICKS, Load, owned
from tests.serving.stream.topics import Sender

PROGRAM, WRAPPER = "NETOPS_TEST_NUCLIO_PROCESSOR", "NETOPS_TEST_NUCLIO_WRAPPER"
pytestmark = [pytest.mark.timeout(1800), pytest.mark.slow]


@pytest.fixture(scope="module")
def begin(tmp_path_factory):
    if not (os.environ.get(PROGRAM) and os.environ.get(WRAPPER)):
        pytest.skip(f"{PROGRAM} and {WRAPPER} name no processor")
    first, started = str(make_model(tmp_path_factory.mktemp("models") / "v1")), []

    def start(model=first, **options):
        folder = tmp_path_factory.mktemp("processor")
        started.append(Processor(folder, os.environ[PROGRAM], os.environ[WRAPPER], str(model), **options))
        return started[-1]

    yield start
    for processor in started:
        processor.kill()


@pytest.fixture(scope="module")
def processor(begin):
    return begin()


def test_it_is_closed_without_the_token(processor) -> None:
    for given in ("", "Bearer other"):
        assert processor.client.get("/alerts", headers={"Authorization": given}).status_code == 401
    assert processor.client.get("/healthz", headers={"Authorization": ""}).status_code == 200


def test_it_is_closed_over_http_where_it_was_given_no_token(begin) -> None:
    processor = begin(token="")
    for given in ("", "Bearer", f"Bearer {TOKEN}"):
        refused = processor.client.post("/telemetry", json=[], headers={"Authorization": given})
        assert (refused.status_code, "NETOPS_TOKEN" in refused.text) == (401, True)
    assert processor.client.get("/healthz").status_code == 200


def test_empty_lists_do_not_cost_it_its_worker(processor) -> None:
    for _ in range(3):
        assert processor.get("/alerts") == []
        answer = processor.client.post("/telemetry", json=[])
        assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("content", [b"999999999999", b"{", b"null"])
def test_what_is_no_sample_is_rejected(processor, content) -> None:
    answer = processor.client.post("/telemetry", content=content, headers={"Content-Type": "application/json"})
    assert answer.json()["status"] == "rejected"


def test_bodies_and_methods_are_those_of_the_server(processor) -> None:
    assert processor.client.post("/telemetry", content=b" " * (9 << 20)).status_code == 413
    assert processor.client.put("/telemetry", json={}).status_code == 405
    exported = processor.client.get("/metrics")
    assert exported.headers["content-type"].count("charset") == 1
    assert "netops_snapshots_total" in exported.text


def test_it_stops_at_once_and_finds_its_state_again(begin) -> None:
    processor = begin()
    hot = [sample("a", tick, hot=True) for tick in range(3)]
    assert processor.client.post("/telemetry", json=hot).json()[-1]["alert"]
    (alert,) = processor.get("/alerts")
    assert processor.stop() < 15  # 5 of which are Nuclio's own; its limit for the worker is 20
    processor.start()
    assert [found["id"] for found in processor.get("/alerts")] == [alert["id"]]
    assert processor.client.post("/telemetry", json=hot[-1]).json()["status"] == "duplicate"


def test_receivers_are_sent_the_alerts(begin) -> None:
    with Hook() as hook:
        processor = begin(serving={"receivers": [{"kind": "webhook", "url": hook.url}]})
        hot = [sample("a", tick, hot=True) for tick in range(3)]
        assert processor.client.post("/telemetry", json=hot).json()[-1]["alert"]
        until(lambda: hook.taken, 60)  # no message comes meanwhile: the sender works beside them
        (alert,) = processor.get("/alerts")
    assert hook.ids() == [("opened", alert["id"])]
    assert hook.taken[0]["alert"]["device"] == "a"


def test_a_new_champion_answers_without_a_restart(begin, tmp_path) -> None:
    champion = ChampionFile(tmp_path / "champion.json")
    champion.promote("v1", make_model(tmp_path / "v1", "v1"))
    processor = begin(model=champion.file)
    assert processor.get("/healthz")["model"] == "v1"
    champion.promote("v2", make_model(tmp_path / "v2", "v2", seed=1))
    until(lambda: processor.get("/healthz")["model"] == "v2", 60)
    (answer,) = processor.client.post("/telemetry", json=[sample("a", 0)]).json()
    assert answer["model"] == "v2"


def test_snapshots_are_written_while_it_runs(begin) -> None:
    processor = begin(serving={"state": {"snapshot_interval": "1s"}})
    assert processor.client.post("/telemetry", json=[sample("a", 0)]).status_code == 200
    until(lambda: processor.get("/healthz")["replay_point"], 60)
    processor.kill()  # no time to save anything
    processor.start()
    assert [found["device"] for found in processor.get("/devices")] == ["a"]


@pytest.fixture(scope="module")
def topics(begin, request):
    """Return the broker; only where there is a processor."""
    return request.getfixturevalue("broker")


def test_processors_hand_partitions_over_and_nothing_is_lost_or_counted_twice(
    begin, topics, tmp_path, capsys
) -> None:
    """Kill processor and worker, the processor alone, the worker alone; stop one gracefully."""
    address, out = topics.create("processors", PARTITIONS), topics.create("processors-out", 2)
    sender, samples = Sender(topics.address, "processors"), fleet(DEVICES, 4 * TICKS, seed=8)
    model = make_model(tmp_path / "v1")
    with Hook() as hook, Load(sender, samples) as load:
        serving = {
            "stream": STREAM | {"out": out},
            "state": {"snapshot_interval": "500ms"},
            "receivers": [{"kind": "webhook", "url": hook.url}],
        }

        def replica() -> Processor:
            return begin(model, stream=f"{address}?group=processors", state=tmp_path / "state", serving=serving)

        first, second = replica(), replica()
        _share(first, second)
        first.kill()
        _own_all(second)
        third = replica()
        _share(second, third)
        stopped = second.stop()
        _own_all(third)
        fourth = replica()
        _share(third, fourth)
        third.end("processor")
        _own_all(fourth)
        fifth = replica()
        _share(fourth, fifth)
        fourth.end("wrapper")
        _own_all(fifth)
        sent = load.end()
        until(lambda: sum(owned(fifth).values()) == len(sent), 60)
        time.sleep(2)  # deliveries
        seconds = [stopped, fifth.stop()]
        events = Counter((found["event"], found["alert"]["id"]) for found in hook.taken)
    expected = reference(model, tmp_path / "reference", sent, DEVICES)
    found, offsets = partitions(model, tmp_path / "state" / "demo" / "demo-serving")
    written, twice = messages(topics, "processors-out"), sum(count - 1 for count in events.values())
    with capsys.disabled():
        print(f"\n{len(sent)} samples, {len(written)} risks, {len(events)} events, {twice} twice, {seconds} s")
    assert sum(offsets.values()) == len(sent)
    assert differing(found, expected) == {}
    alerts = {alert[0] for one in expected.values() for alert in one["alerts"]}
    assert {alert for event, alert in events if event == "opened"} == alerts
    assert twice <= 4  # at least once: what was on its way when a process was killed
    assert by_time(without_repeats(written)) == answers(model, tmp_path / "answers", sent)
    assert max(seconds) < 25  # Nuclio waits for the worker 20 s, and then sleeps for 5


def _share(*processors: Processor) -> None:
    until(lambda: [len(owned(one)) for one in processors] == [PARTITIONS // 2] * 2, 60)


def _own_all(processor: Processor) -> None:
    until(lambda: len(owned(processor)) == PARTITIONS, 60)


def test_it_stops_in_time_while_no_broker_answers(begin, request, tmp_path, capsys) -> None:
    (tmp_path / "broker").mkdir()
    with running_broker(request.getfixturevalue("require_broker"), tmp_path / "broker") as own:
        address = own.create("away", 4)
        sender = Sender(own.address, "away")
        sender.send(fleet(20, 20))
        sender.flush()
        processor = begin(stream=address, serving={"stream": STREAM})
        until(lambda: sum(owned(processor).values()) == 400, 60)
        own.stop()
        seconds = processor.stop()
        with capsys.disabled():
            print(f"\nstopped without a broker in {seconds:.1f} s")
        assert seconds < 25  # 20 for the worker, and 5 of Nuclio's own
        own.start()
        processor.start()
        until(lambda: sum(owned(processor).values()) == 400, 60)
        metrics = processor.client.get("/metrics").text
    assert 'netops_stream_messages_total{network="demo",result="read"} 0.0' in metrics  # all was saved


def test_a_worker_that_is_stopped_without_its_processor_saves_its_state(begin, topics, tmp_path) -> None:
    address = topics.create("worker", 1)
    sender = Sender(topics.address, "worker")
    sender.send([sample("a", tick) for tick in range(20)])
    sender.flush()
    processor = begin(stream=address, serving={"stream": STREAM})
    until(lambda: owned(processor) == {0: 20}, 60)
    processor.end("wrapper", signal.SIGUSR1)
    processor.kill()
    processor.start()
    until(lambda: owned(processor) == {0: 20}, 60)
    assert [found["device"] for found in processor.get("/devices")] == ["a"]
