"""Workers of the Nuclio function that read a topic: what they hold is what one process would."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from netops.errors import UsageError
from tests.broker.broker import Broker
from tests.serving.hooks import Hook, until
from tests.serving.nuclio_process import NuclioProcess
from tests.serving.samples import fleet, sample
from tests.serving.stream.states import differing, partitions, reference
from tests.serving.stream.topics import Sender

pytest.importorskip("mlrun")

PARTITIONS, DEVICES, TICKS, PACE = 4, 20, 4000, 0.05
STREAM = {"session": "2s", "lease": "2s"}


def get(worker: NuclioProcess, path: str) -> Any:
    return httpx.get(worker.url + path, timeout=30).raise_for_status().json()


def owned(worker: NuclioProcess) -> dict[int, int]:
    """Partition → next message."""
    return {one["partition"]: one["offset"] for one in get(worker, "/healthz")["partitions"] if one["offset"]}


def statuses(worker: NuclioProcess) -> list[str]:
    """Return the status of each partition that a worker lists."""
    return [one["status"] for one in get(worker, "/healthz")["partitions"]]


class Load:
    """Sends samples in the background until it is ended, at the latest with its context."""

    def __init__(self, sender: Sender, samples: list[dict]) -> None:
        self.sent: list[dict] = []
        self._sender, self._samples, self._ending = sender, samples, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> list[dict]:
        assert self._thread.is_alive(), "the load ended before the last hand-over"
        self._end()
        self._sender.flush()
        return self.sent

    def _end(self) -> None:
        self._ending.set()
        self._thread.join()

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _run(self) -> None:
        for start in range(0, len(self._samples), DEVICES):
            tick = self._samples[start : start + DEVICES]
            self._sender.send(tick)
            self.sent += tick
            if self._ending.wait(PACE):
                break


@pytest.mark.slow
def test_workers_hand_partitions_over_and_nothing_is_lost_or_counted_twice(
    broker: Broker, model: Path, tmp_path: Path
) -> None:
    address = broker.create("function", PARTITIONS)
    sender, samples = Sender(broker.address, "function"), fleet(DEVICES, TICKS, seed=7)
    with Hook() as hook, Load(sender, samples) as load:
        settings = {
            "stream": STREAM,
            "state": {"snapshot_interval": "500ms"},
            "receivers": [{"kind": "webhook", "url": hook.url}],
        }

        def replica() -> NuclioProcess:
            return NuclioProcess(model, tmp_path / "state", f"{address}?group=function", **settings)

        with replica() as first, replica() as second:
            until(lambda: (len(owned(first)), len(owned(second))) == (2, 2), 30)
            first.kill()
            until(lambda: len(owned(second)) == PARTITIONS, 30)
            with replica() as third:
                until(lambda: (len(owned(third)), len(owned(second))) == (2, 2), 30)
                assert second.stop() == 0
                until(lambda: len(owned(third)) == PARTITIONS, 30)
                sent = load.end()
                until(lambda: sum(owned(third).values()) == len(sent), 60)
                risks = {one["device"]: one["risk"] for one in get(third, "/devices")}
                time.sleep(2)  # deliveries
                assert third.stop() == 0
        events = Counter((body["event"], body["alert"]["id"]) for body in hook.taken)
    expected = reference(model, tmp_path / "reference", sent, DEVICES)
    found, offsets = partitions(model, tmp_path / "state" / "demo" / "demo-serving")
    assert sum(offsets.values()) == len(sent)
    assert differing(found, expected) == {}
    assert risks == {name: one["risk"] for name, one in expected.items()}
    alerts = {alert[0] for one in expected.values() for alert in one["alerts"]}
    assert {alert for event, alert in events if event == "opened"} == alerts
    # At least once: an event that was on its way when a process was killed may come twice.
    assert sum(count - 1 for count in events.values()) <= 2


def test_a_worker_that_reads_a_topic_answers_as_the_server(broker: Broker, model: Path, tmp_path: Path) -> None:
    address = broker.create("function-http", 2)
    sender = Sender(broker.address, "function-http")
    sender.send([sample(device, tick, hot=tick > 5) for tick in range(10) for device in ("a", "b", "c")])
    sender.flush()
    with NuclioProcess(model, tmp_path / "state", address, stream=STREAM) as worker:
        until(lambda: sum(owned(worker).values()) == 30, 30)
        assert {alert["device"] for alert in get(worker, "/alerts")} == {"a", "b", "c"}
        assert [one["status"] for one in get(worker, "/healthz")["partitions"]] == ["owned", "owned"]
        scored = httpx.get(worker.url + "/v2/models/netops").json()
        assert scored["version"] == "v1"
        assert worker.stop() == 0
    with NuclioProcess(model, tmp_path / "state", address, stream=STREAM) as worker:
        until(lambda: sum(owned(worker).values()) == 30, 30)
        assert {alert["device"] for alert in get(worker, "/alerts")} == {"a", "b", "c"}
        until(lambda: "x-netops-missing" not in httpx.get(worker.url + "/feedback", timeout=30).headers)
        with NuclioProcess(model, tmp_path / "state", address, stream=STREAM) as other:
            # One of the partitions may have no message, and so no offset.
            until(lambda: all(statuses(one) == ["owned"] for one in (worker, other)), 60)
            answers = [httpx.get(one.url + "/feedback", timeout=30) for one in (worker, other)]
    missing = {answer.headers["x-netops-missing"] for answer in answers}
    assert missing == {"function-http-0", "function-http-1"}


def test_a_function_without_the_client_does_not_start(model: Path, tmp_path: Path, monkeypatch) -> None:
    from netops.serving.mlrun.function import make_serving_function
    from netops.telemetry.kafka import client
    from tests.serving.nuclio_peer import NuclioWorker

    monkeypatch.setattr(client, "find_spec", lambda name: None)
    function, serving = make_serving_function("demo", "f", model), {"stream": {"url": "kafka://broker:9092/t"}}
    with pytest.raises(UsageError, match=r"make image EXTRAS=kafka\): pip install"):
        NuclioWorker(function, monkeypatch, state_path=str(tmp_path / "state"), serving=serving)
    assert not (tmp_path / "state").exists()


def test_a_worker_that_cannot_read_ends_its_process(model: Path, tmp_path: Path, monkeypatch) -> None:
    """A worker that only answers requests would go unnoticed."""
    from netops.serving.mlrun import nuclio_worker
    from netops.serving.mlrun.function import make_serving_function
    from tests.serving.nuclio_peer import NuclioWorker

    @asynccontextmanager
    async def fails(*_: object) -> AsyncIterator[None]:
        await asyncio.sleep(0.05)
        raise OSError("no more threads")
        yield

    monkeypatch.setattr(nuclio_worker, "running", fails)
    function, serving = make_serving_function("demo", "f", model), {"stream": {"url": "kafka://broker:9092/t"}}
    worker = NuclioWorker(function, monkeypatch, state_path=str(tmp_path / "state"), serving=serving)
    with pytest.raises(SystemExit) as ended:
        worker.wait(5)
    assert ended.value.code == 1
    worker.abandon()


def test_samples_over_http_are_refused(
    broker: Broker, model: Path, tmp_path: Path, monkeypatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They would belong to no partition. Replicas do not ask each other."""
    from netops.serving.mlrun.function import make_serving_function
    from tests.serving.nuclio_peer import NuclioWorker

    monkeypatch.setenv("NETOPS_TOKEN", "secret")
    url = broker.create("function-refuses", 1)
    worker = NuclioWorker(
        make_serving_function("demo", "demo-serving", model),
        monkeypatch,
        state_path=str(tmp_path / "state"),
        serving={"stream": {"url": url, "peers": ["http://other:8080"], **STREAM}},
    )
    assert "serving.stream.peers is ignored" in caplog.text
    try:
        worker.wait(0)
        answer = worker.send(json.dumps(sample("a", 0)).encode())
        assert (answer["status_code"], "topic function-refuses" in answer["body"]) == (409, True)
        assert worker.terminate() == 0
    finally:
        worker.abandon()
