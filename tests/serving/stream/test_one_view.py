"""Several processes that read a topic: each answers for the whole network."""

import asyncio
import json
import logging
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from netops.client.feedback import RemoteFeedbackClient
from netops.dashboard.follower import Follower, delta
from netops.errors import NetopsError
from netops.feedback.records import Statement
from tests.broker.broker import Broker
from tests.serving.hooks import free_port, until
from tests.serving.live import LiveServer
from tests.serving.samples import fleet, sample
from tests.serving.stream.topics import Sender

PARTITIONS, DEVICES, TICKS = 6, 30, 40
TOKEN = {"Authorization": "Bearer secret"}
#: Of an answer of a peer, in seconds.
TIMEOUT = 1
INCIDENT = {"start": "2023-11-14T23:00:00Z", "source": "test"}


async def polled(url: str) -> Follower:
    """What a dashboard has of a server."""
    follower = Follower(url, "secret")
    try:
        await follower.poll()
    finally:
        await follower._client.aclose()
    return follower


class View:
    """A topic, three processes that read it as peers, and one that reads it alone."""

    def __init__(self, broker: Broker, model: Path, folder: Path, topic: str) -> None:
        self.stack, self.topic = ExitStack(), topic
        self._model, self._folder, self._sent = model, folder, 0
        self._address = broker.create(topic, PARTITIONS)
        self._sender = Sender(broker.address, topic)
        self._ports = [free_port() for _ in range(3)]
        self.live = [self.add(port) for port in self._ports]
        self.alone = self._start("alone", 0, [])

    def add(self, port: int = 0) -> LiveServer:
        return self._start("state", port, [f"http://127.0.0.1:{port}" for port in self._ports])

    def send(self, samples: list[dict]) -> None:
        """Send samples, and wait until they have been read."""
        self._sender.send(samples)
        self._sender.flush()
        self._sent += len(samples)
        until(self._has_read, 60)

    def _start(self, name: str, port: int, peers: list[str]) -> LiveServer:
        settings = {
            "stream__url": f"{self._address}?group={name}",
            "stream__peers": json.dumps(peers),
            "stream__peer_timeout": f"{TIMEOUT}s",
            "stream__session": "6s",
            "stream__lease": "2s",
            "state__snapshot_interval": "500ms",
        }
        return self.stack.enter_context(LiveServer(self._model, self._folder / name, port, **settings))

    def _has_read(self) -> bool:
        for server in (*self.live, self.alone):
            found = get(server, "/healthz")["partitions"]
            if [one["status"] for one in found] != ["owned"] * PARTITIONS:
                return False
            if sum(one["offset"] for one in found) != self._sent:
                return False
        own = [len(get(server, "/healthz?scope=own")["partitions"]) for server in self.live]
        return own == [PARTITIONS // 3] * 3


def ask(
    server: LiveServer, path: str, method: str = "GET", headers: dict[str, str] = TOKEN, **more: Any
) -> httpx.Response:
    return httpx.request(method, server.url + path, headers=headers, timeout=10, **more)


def get(server: LiveServer, path: str) -> Any:
    return ask(server, path).raise_for_status().json()


@pytest.fixture
def view(
    broker: Broker, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[View]:
    monkeypatch.setenv("NETOPS_TOKEN", "secret")
    made = View(broker, model, tmp_path, request.node.name[:20])
    yield made
    made.stack.close()


def stored(server: LiveServer, path: str) -> list[dict]:
    """Alerts without their peaks: that of an open alert is stored with its next change."""
    return [{key: value for key, value in one.items() if "peak" not in key} for one in get(server, path)]


def test_each_process_answers_for_the_whole_network(view: View) -> None:
    samples, alone = fleet(DEVICES, TICKS), view.alone
    view.send(samples)
    owned = [get(server, "/healthz?scope=own")["partitions"] for server in view.live]
    assert all(len(one) == 2 for one in owned)
    for server in view.live:
        for path in ("/devices", "/devices?partition=3", "/alerts", "/feedback", "/history?device=d7"):
            answer = ask(server, path)
            assert answer.json() == get(alone, path), path
            assert "x-netops-missing" not in answer.headers
        for path in ("/alerts?all=true", "/alerts?all=true&limit=5"):
            assert stored(server, path) == stored(alone, path)
        everything = get(server, "/devices")
        paged = [one for first in range(0, DEVICES, 7) for one in get(server, f"/devices?limit=7&offset={first}")]
        assert (len(paged), paged) == (DEVICES, everything)
        until(lambda server=server: summary(server) == summary(alone))
        assert [one["why"] for one in get(server, "/healthz")["peers"]] == ["", ""]
        assert ask(server, "/history?device=unknown").status_code == 404
        assert ask(server, "/alerts/0000").status_code == 404
        assert ask(server, "/devices?scope=mine").status_code == 400
        for method, path in (("HEAD", "/devices"), ("GET", "/alerts/%2E%2E"), ("GET", "/devices/%2E%2E/logs")):
            ask(server, path, method)
            assert "x-netops-missing" not in ask(server, "/devices").headers, path
    # The partitions of a process alone.
    names = [[one["device"] for one in get(server, "/devices?scope=own")] for server in view.live]
    assert all(names)
    assert sorted(name for one in names for name in one) == sorted(one["device"] for one in everything)


def summary(server: LiveServer) -> dict[str, Any]:
    """What the health of three processes and of one has in common; that of peers is asked for in the background."""
    return {key: get(server, "/healthz")[key] for key in ("status", "devices", "alerts", "event_time", "problems")}


def test_changes_are_followed_from_cursor_to_cursor(view: View) -> None:
    view.send(fleet(DEVICES, 5))
    for tick, server in enumerate(view.live, start=6):
        everything = get(server, "/fleet")
        names = {f"d{device}" for device in range(DEVICES)}
        assert (everything["known"], set(everything["devices"])) == (DEVICES, names)
        assert set(everything["alerting"]) == set(get(view.alone, "/fleet")["alerting"]) != set()
        assert get(server, f"/fleet?since={everything['cursor']}")["devices"] == []
        view.send([sample(name, tick) for name in ("d3", "d4", "d5")])
        changes = get(server, f"/fleet?since={everything['cursor']}")
        assert sorted(changes["devices"]) == ["d3", "d4", "d5"]
        assert set(get(server, "/fleet?since=7")["devices"]) == names  # the cursor of another process


def test_feedback_reaches_the_owner_through_any_process(view: View) -> None:
    view.send(fleet(DEVICES, TICKS))
    alerts = get(view.alone, "/alerts?all=true")
    for number, alert in enumerate(alerts):
        server = view.live[number % 3]
        # A beginning of the id, if it is long enough.
        name = alert["id"] if number % 2 else alert["id"][:12]
        answer = ask(server, f"/alerts/{name}/feedback", method="POST", json={"verdict": "confirmed", "by": "x"})
        assert (answer.status_code, answer.json()["changed"]) == (200, True)
        assert answer.json()["alert"]["device"] == alert["device"]
        again = ask(
            view.live[0], f"/alerts/{name}/feedback", method="POST", json={"verdict": "confirmed", "by": "x"}
        )
        assert again.json()["changed"] is False
        assert [one["by"] for one in get(view.live[1], f"/alerts/{name}")["statements"]] == ["x"]
    first = {alert["id"][0] for alert in alerts if sum(one["id"][0] == alert["id"][0] for one in alerts) > 1}.pop()
    answer = ask(view.live[0], f"/alerts/{first}/feedback", method="POST", json={"verdict": "confirmed"})
    assert (answer.status_code, "use a longer prefix" in answer.text) == (400, True)
    wrong = {"verdict": "repaired", "repaired_at": "2020-01-01T00:00:00Z"}
    for server in view.live:
        answer = ask(server, f"/alerts/{alerts[0]['id']}/feedback", method="POST", json=wrong)
        assert (answer.status_code, "the repair must be later" in answer.text) == (400, True)

    given = [{"device": f"d{device}", **INCIDENT, "id": str(device)} for device in range(DEVICES + 2)]
    for server, expected in zip(view.live, [(32, 0), (0, 32), (0, 32)], strict=True):
        recorded = ask(server, "/incidents", method="POST", json=[*given, {"device": "d1"}]).json()
        assert (recorded["recorded"], recorded["known"]) == expected
        assert recorded["unknown_devices"] == ["d30", "d31"]
        assert [one["index"] for one in recorded["set_aside"]] == [DEVICES + 2]
    found = [get(server, "/feedback") for server in view.live]
    assert found[0] == found[1] == found[2]
    assert (len(found[0]["incidents"]), len(found[0]["verdicts"])) == (DEVICES + 2, len(alerts))
    client = RemoteFeedbackClient(view.live[2].url, "secret")
    assert len(client.alerts(False, 0, 1000)) == len(alerts)
    assert len(client.feedback().verdicts) == len(alerts)


def test_a_partial_answer_names_the_missing_partitions(view: View, caplog: pytest.LogCaptureFixture) -> None:
    """One of three is stopped, in the sense of SIGSTOP, then killed, until the others have its partitions."""
    view.send(fleet(DEVICES, TICKS))
    first, _, lost = view.live
    alerts = {alert["id"]: alert for alert in get(first, "/alerts?all=true")}
    theirs = {alert["id"] for alert in get(lost, "/alerts?all=true&scope=own")}
    devices = [one["device"] for one in get(lost, "/devices?scope=own")]
    names = [f"{view.topic}-{one['partition']}" for one in get(lost, "/healthz?scope=own")["partitions"]]
    everything = get(first, "/fleet")
    lost.process.send_signal(signal.SIGSTOP)
    answer = ask(first, "/devices")
    assert answer.elapsed.total_seconds() < TIMEOUT + 1
    assert answer.headers["x-netops-missing"] == ", ".join(names)
    assert {one["device"] for one in answer.json()} == {f"d{device}" for device in range(DEVICES)} - set(devices)
    until(lambda: any(one["why"] for one in get(first, "/healthz")["peers"]))
    for path in ("/alerts", "/feedback", "/fleet", "/devices"):
        answer = ask(first, path)
        assert answer.headers["x-netops-missing"] == ", ".join(names), path
        assert answer.elapsed.total_seconds() < TIMEOUT  # it is not asked again
    for name in theirs:
        answer = ask(first, f"/alerts/{name}/feedback", method="POST", json={"verdict": "confirmed"})
        assert (answer.status_code, names[0] in answer.json()["error"]) == (503, True)
    assert ask(first, f"/history?device={devices[0]}").status_code == 503
    given = [{"device": device, **INCIDENT} for device in ("d0", devices[0])]
    answer = ask(first, "/incidents", method="POST", json=given)
    assert (answer.status_code, "of 1 devices were not recorded" in answer.json()["error"]) == (503, True)
    health = get(first, "/healthz")
    assert health["status"] == "degraded"
    assert names[0] in " ".join(health["problems"])
    assert {one["why"] for one in health["peers"]} == {"", f"no answer within {TIMEOUT:g} s"}
    missing = [one for one in health["partitions"] if one["status"] != "owned"]
    assert [f"{view.topic}-{one['partition']}" for one in missing] == names
    assert all(f"{lost.url}: no answer" in one["why"] for one in missing if one["status"] == "missing")
    follower = asyncio.run(polled(first.url))
    assert (follower.trouble, delta(follower, full=False)["missing"]) == ("", ", ".join(names))
    client = RemoteFeedbackClient(first.url, "secret")
    with pytest.raises(NetopsError, match=f"not complete, it is without partitions {names[0]}"):
        client.feedback()
    with pytest.raises(NetopsError, match=f"status 503 .*no process answers for {names[0]}"):
        client.record_verdict(min(theirs), Statement(verdict="confirmed"))
    with caplog.at_level(logging.WARNING):
        assert {alert.id for alert in client.alerts(False, 0, 1000)} == set(alerts) - theirs
    assert f"alerts are missing: the answer is without partitions {names[0]}" in caplog.text
    lost.kill()
    until(lambda: ask(first, "/devices").headers.get("x-netops-missing") is None, 30)
    assert {one["device"] for one in get(first, "/devices")} == {f"d{device}" for device in range(DEVICES)}
    assert {alert["id"] for alert in get(first, "/alerts?all=true")} == set(alerts)
    changes = get(first, f"/fleet?since={everything['cursor']}")
    assert (changes["known"], set(devices) <= set(changes["devices"])) == (DEVICES, True)
    for name in theirs:
        answer = ask(first, f"/alerts/{name}/feedback", method="POST", json={"verdict": "confirmed"})
        assert answer.json()["changed"] is True
    assert ask(first, "/incidents", method="POST", json=given).json()["recorded"] == 1


def test_peers_need_the_same_token(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETOPS_TOKEN", "other")
    other = view.add()
    problem = "it has another NETOPS_TOKEN, no champion, or does not read a stream"
    theirs = {"Authorization": "Bearer other"}
    until(lambda: {one["why"] for one in ask(other, "/healthz", headers=theirs).json()["peers"]} == {problem})
    shown = ask(other, "/healthz", headers={}).json()
    assert (shown["status"], shown["peers"]) == ("degraded", [])
    assert not any(one["why"] for one in shown["partitions"])
    assert all(ask(server, "/devices", headers={}).status_code == 401 for server in view.live)
    for path in ("/healthz?scope=own", "/devices?scope=own"):
        assert "x-netops-own" not in ask(view.live[0], path, headers={}).headers
        assert "x-netops-own" in ask(view.live[0], path).headers
