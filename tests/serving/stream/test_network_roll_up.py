"""Site alerts of several processes: those of one process that was fed the same samples, each notified once."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.broker.broker import Broker
from tests.serving.hooks import Hook, free_port, until
from tests.serving.live import LiveServer
from tests.serving.samples import sample
from tests.serving.stream.kills import STEPS
from tests.serving.stream.topics import Sender

DEVICES, PARTITIONS = 24, 6
ALERTING = {"cooldown": "2m", "expire": "30m", "roll_up": {"devices": 4, "share": 0.5}}
#: Ticks of a cool-down, and of a pause in which every alert ends.
COOLDOWN = 24
#: Tick → the devices that become hot, for 6 ticks. The data centers x0 and x1 have the even and the odd devices.
EVENTS = {
    4: [0, 2, 4, 6, 8, 10, 12, 1, 3],  # most of x0, two of x1
    60: [5],
    64: [1, 3, 5, 7, 9, 11, 13, 15],  # most of x1; 5 has been notified
    110: [0, 2, 4, 6, 1, 3],  # few
}
TICKS = 150


def ticks() -> Iterator[list[dict]]:
    hot: dict[int, int] = {}
    for tick in range(TICKS):
        hot |= dict.fromkeys(EVENTS.get(tick, ()), tick + 6)
        yield [
            sample(f"d{device}", tick, hot=tick < hot.get(device, 0), company="c", data_center=f"x{device % 2}")
            for device in range(DEVICES)
        ]


def about(alert: dict[str, Any]) -> tuple[Any, ...]:
    """What is the same in one and in several processes: a site alert ends when its owner has seen it."""
    ended = alert["kind"] == "site" or alert["ended"]
    return (
        alert["kind"],
        alert["device"] or alert["site"],
        alert["opened"],
        ended,
        tuple(alert["devices"]),
        bool(alert["rolled_up"]),
    )


def outcome(servers: list[LiveServer], hook: Hook) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    found = [httpx.get(f"{server.url}/alerts?all=true", timeout=10).json() for server in servers]
    assert all(one == found[0] for one in found)
    return {alert["id"]: about(alert) for alert in found[0]}, set(hook.ids())


@pytest.fixture(scope="module")
def expected(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """Alerts and notifications of one process."""
    folder = tmp_path_factory.mktemp("one")
    with Hook() as hook, LiveServer(model, folder, **common(hook)) as server:
        for tick in ticks():
            httpx.post(f"{server.url}/telemetry", json=tick).raise_for_status()
        until(lambda: "netops_deliveries_due 0" in metrics(server) or due(server) == 0)
        return outcome([server], hook)


def common(hook: Hook) -> dict[str, Any]:
    return {
        f"alerting__{key}": json.dumps(value) if isinstance(value, dict) else value
        for key, value in ALERTING.items()
    } | {
        "receivers": f'[{{"kind": "webhook", "url": "{hook.url}"}}]',
        "state__snapshot_interval": "500ms",
    }


def get(server: LiveServer, path: str) -> Any:
    return httpx.get(server.url + path, timeout=10).raise_for_status().json()


def metrics(server: LiveServer) -> str:
    return httpx.get(f"{server.url}/metrics").text


def due(server: LiveServer) -> float:
    lines = metrics(server).splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("netops_deliveries_due{"))


class Replicas:
    """Three processes that read a topic as peers."""

    def __init__(
        self, stack: ExitStack, broker: Broker, model: Path, folder: Path, topic: str, hook: Hook, **more: Any
    ) -> None:
        address = broker.create(topic, PARTITIONS)
        self._sender, self.sent = Sender(broker.address, topic), 0
        ports = [free_port() for _ in range(3)]
        settings = common(hook) | {
            "stream__url": f"{address}?group={topic}",
            "stream__peers": json.dumps([f"http://127.0.0.1:{port}" for port in ports]),
            "stream__peer_timeout": "5s",
            "stream__roll_up_wait": "25s",
            "stream__session": "2s",
            "stream__lease": "2s",
        }
        self.all = [
            stack.enter_context(LiveServer(model, folder / "state", port, **settings, **more)) for port in ports
        ]
        until(lambda: len(self._owned()) == PARTITIONS and self._problems() == "", 60)

    @property
    def live(self) -> list[LiveServer]:
        return [server for server in self.all if server.process.poll() is None]

    def send(self, tick: list[dict]) -> None:
        self._sender.send(tick)
        self._sender.flush()
        self.sent += len(tick)

    def is_done(self) -> bool:
        """Whether all messages are read, no partition is missing, and nothing waits for a receiver."""
        return self._has_read_all() and sum(map(due, self.live)) == 0

    def is_rolled_up(self) -> bool:
        """Whether all messages are read, no alert waits for a decision, and no site alert for its end."""
        try:
            return self._has_read_all() and not self._held() and not self._ending()
        except httpx.HTTPError:  # a process was killed between two requests
            return False

    def _has_read_all(self) -> bool:
        owned = self._owned()
        return len(owned) == PARTITIONS and sum(owned.values()) == self.sent and self._problems() == ""

    def _held(self) -> list[str]:
        parts = [part for server in self.live for part in get(server, "/roll-up")]
        return [alert["id"] for part in parts for alert in part["alerts"] if alert["held"]]

    def _ending(self) -> list[str]:
        open_ones = [alert for alert in get(self.live[0], "/alerts?all=true") if alert["ended"] is None]
        devices = {alert["device"] for alert in open_ones if alert["kind"] == "risk"}
        return [one["id"] for one in open_ones if one["kind"] == "site" and devices.isdisjoint(one["devices"])]

    def _owned(self) -> dict[int, int]:
        try:
            found = httpx.get(f"{self.live[0].url}/healthz", timeout=10).json()["partitions"]
        except httpx.HTTPError:
            return {}
        return {one["partition"]: one["offset"] for one in found if one["status"] == "owned"}

    def _problems(self) -> str:
        return str(
            [httpx.get(f"{server.url}/healthz", timeout=10).json()["problems"] for server in self.live]
        ).strip("[], ")


def run(replicas: Replicas, pause: float = 0.05) -> None:
    """Send the samples. Before an event and when its alerts end, the processes roll up what was sent before."""
    since = time.monotonic()
    for number, tick in enumerate(ticks()):
        replicas.send(tick)
        time.sleep(pause)
        if any(number in (start - 1, start + 3, start + 6 + COOLDOWN) for start in EVENTS):
            until(replicas.is_rolled_up, 120, pause=0.2)
    until(replicas.is_done, 60)
    print(f"{time.monotonic() - since:.1f} s")


def test_site_alerts_span_partitions(broker, model, tmp_path, expected) -> None:
    with Hook() as hook, ExitStack() as stack:
        replicas = Replicas(stack, broker, model, tmp_path, "roll-up", hook)
        run(replicas)
        alerts, events = outcome(replicas.live, hook)
        assert alerts == expected[0]
        assert events == expected[1]
        assert Counter(hook.ids()).most_common(1)[0][1] == 1
        kinds = Counter(alert[0] for alert in alerts.values())
        assert kinds["site"] == 2
        check_feedback(replicas.live)


def check_feedback(servers: list[LiveServer]) -> None:
    """Feedback on a site alert applies to its device alerts in all processes, unless they have their own."""
    alerts = get(servers[0], "/alerts?all=true")
    site = next(alert for alert in alerts if alert["kind"] == "site")
    own = next(alert for alert in alerts if alert["rolled_up"] == site["id"])
    for name, verdict in ((own["id"], "dismissed"), (site["id"], "confirmed")):
        answer = httpx.post(f"{servers[1].url}/alerts/{name}/feedback", json={"verdict": verdict})
        assert answer.raise_for_status().json()["changed"]
    expected = dict.fromkeys(site["devices"], "confirmed") | {own["device"]: "dismissed"}
    for server in servers:
        verdicts = get(server, "/feedback")["verdicts"]
        assert {one["device"]: one["verdict"] for one in verdicts} == expected
        assert len(verdicts) == len(expected)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_the_next_owner_of_partition_0_continues(broker, model, tmp_path, expected, step) -> None:
    file = tmp_path / "kill"
    file.touch()
    with Hook() as hook, ExitStack() as stack:
        kill = json.dumps({"step": step, "file": str(file)})
        replicas = Replicas(stack, broker, model, tmp_path, f"roll-up-{step.replace(' ', '-')}", hook, kill=kill)
        run(replicas)
        assert (len(replicas.live), file.exists()) == (2, False)
        alerts, events = outcome(replicas.live, hook)
        assert alerts == expected[0]
        assert events == expected[1]
        assert sum(count - 1 for count in Counter(hook.ids()).values()) <= 1  # on its way when it was killed
