"""Processes that share an object store: killed, paused and without the store, the result is that of one process."""

import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.serving.hooks import Hook, until
from tests.serving.live import LiveServer
from tests.serving.samples import fleet
from tests.serving.stream.states import differing, partitions, reference
from tests.serving.stream.stores import StoreServer
from tests.serving.stream.topics import Sender

DEVICES, PARTITIONS = 12, 2


def _health(server: LiveServer) -> dict:
    return httpx.get(f"{server.url}/healthz?scope=own", timeout=20).json()


def _owned(*servers: LiveServer) -> dict[int, int]:
    """Partition → offset."""
    found = [one for server in servers for one in _health(server)["partitions"] if one["status"] == "owned"]
    return {one["partition"]: one["offset"] for one in found}


@pytest.mark.slow
def test_failures_of_processes_and_store_change_nothing(
    broker, store: StoreServer, model: Path, tmp_path: Path
) -> None:
    _run(broker, store, model, tmp_path, "objects", lease="3s", away=6.0)


@pytest.mark.soak
def test_a_store_that_is_away_for_longer_changes_nothing(
    broker, store: StoreServer, model: Path, tmp_path: Path
) -> None:
    _run(broker, store, model, tmp_path, "objects-away", lease="10s", away=20.0)


def _run(broker, store: StoreServer, model: Path, tmp_path: Path, topic: str, lease: str, away: float) -> None:
    state, sent, ending = store.bucket(), [], threading.Event()
    address = broker.create(topic, PARTITIONS)
    samples, sender = fleet(DEVICES, 2000, seed=5), Sender(broker.address, topic)

    def send() -> None:
        while not ending.wait(0.06) and len(sent) < len(samples):
            tick = samples[len(sent) : len(sent) + DEVICES]
            sender.send(tick)
            sent.extend(tick)
        sender.flush()

    with Hook() as hook, ExitStack() as servers:
        settings = {
            "stream__url": f"{address}?group={topic}",
            "stream__session": "2s",
            "stream__lease": lease,
            "state__snapshot_interval": "600ms",
            "receivers": f'[{{"kind": "webhook", "url": "{hook.url}"}}]',
        }

        def process() -> LiveServer:
            return servers.enter_context(LiveServer(model, state, **settings))

        first, sending = process(), threading.Thread(target=send)
        sending.start()
        second = process()
        until(lambda: len(_owned(first)) == len(_owned(second)) == 1, 60)
        until(lambda: min(_owned(first, second).values()) > 0, 30)
        first.kill()
        until(lambda: len(_owned(second)) == PARTITIONS, 60)
        third = process()
        until(lambda: len(_owned(second)) == len(_owned(third)) == 1, 60)
        # A process that is stopped loses its partition; what it still has is refused when it continues.
        second.process.send_signal(signal.SIGSTOP)
        until(lambda: len(_owned(third)) == PARTITIONS, 60)
        second.process.send_signal(signal.SIGCONT)
        until(lambda: len(_owned(second)) == len(_owned(third)) == 1, 60)

        store.pause()
        time.sleep(away)
        problems = " ".join(_health(second)["problems"])
        assert f"{state}" in problems
        assert "reading is paused" in problems
        before = _owned(second, third)
        time.sleep(0.3)
        assert _owned(second, third) == before
        assert httpx.get(f"{second.url}/readyz?scope=own").status_code == 200
        store.resume()
        until(lambda: not _health(second)["problems"] and not _health(third)["problems"], 60)

        assert third.stop() == 0
        ending.set()
        sending.join()
        until(lambda: len(_owned(second)) == PARTITIONS, 60)
        until(lambda: sum(_owned(second).values()) == len(sent), 60)
        metrics = httpx.get(f"{second.url}/metrics").text
        assert 'netops_state_requests_total{network="demo",operation="replace",result="ok"}' in metrics
        time.sleep(2)  # deliveries
        assert second.stop() == 0
        events = Counter((body["event"], body["alert"]["id"]) for body in hook.taken)

    expected = reference(model, tmp_path / "reference", sent, DEVICES)
    found, offsets = partitions(model, state)
    assert sum(offsets.values()) == len(sent)
    assert differing(found, expected) == {}
    alerts = {alert[0] for one in expected.values() for alert in one["alerts"]}
    assert {alert for event, alert in events if event == "opened"} == alerts
    assert sum(count - 1 for count in events.values()) <= 4  # on its way when a process was killed or stopped
