"""The roll-up of a network turn by turn: partitions that are behind or missing, failures, and restarts."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from netops.alerting.settings import AlertSettings
from netops.alerting.silences import Silence
from netops.config.durations import SECOND
from netops.serving.alerts.network_sites import Decision, RollUpAlert
from netops.serving.alerts.store import Alert
from netops.serving.decode.times import nanoseconds
from netops.serving.engine.samples import BodyError
from netops.serving.peers.aggregator import Aggregator, Consideration, decided
from netops.serving.requests.endpoint import Request, StateEndpoint
from netops.serving.requests.endpoints.health import health
from netops.serving.requests.endpoints.roll_up import DECIDE, PartitionAlerts
from netops.serving.requests.processes import Answers, Found
from netops.serving.requests.reply import refusal
from netops.serving.requests.scope import own_of
from netops.serving.settings import ReceiverSettings, ServingSettings, StreamSettings
from tests.serving.hooks import Hook, until
from tests.serving.samples import INTERVAL, START, sample
from tests.serving.stream.process import Process, log_of

PARTITIONS, WAIT = 4, 20
#: The devices of a partition; a site alert needs 4 of the 12 devices of the data center.
DEVICES = {number: [f"d{number}{letter}" for letter in "abc"] for number in range(PARTITIONS)}


def samples(first: int, ticks: int, hot: str = "") -> dict[int, list[dict]]:
    """Samples of all partitions; ``hot`` are the letters of the devices that alert."""
    return {
        number: [
            sample(device, tick, hot=device[-1] in hot, data_center="x")
            for tick in range(first, first + ticks)
            for device in devices
        ]
        for number, devices in DEVICES.items()
    }


class Wired:
    """The processes that are connected, as the network of the first one."""

    def __init__(self, processes: list[Process]) -> None:
        self.processes = processes
        self.runtime = processes[0].root
        self.decisions: list[Decision] = []

    async def ask_all(self, endpoint: StateEndpoint, request: Request, *_: Any) -> Answers:
        found = [self._ask(one, endpoint, request) for one in self.processes]
        return Answers(found, [])

    async def ask(self, instance: str, endpoint: StateEndpoint, request: Request, _: Any) -> Found:
        (one,) = (one for one in self.processes if one.root.partitions.instance == instance)
        self.decisions.append(msgspec.json.decode(request.body, type=Decision))
        try:
            return self._ask(one, endpoint, request)
        except BodyError as error:
            reply = refusal(error.status, str(error))
            return Found(own_of("demo", one.root.partitions), reply)

    def _ask(self, process: Process, endpoint: StateEndpoint, request: Request) -> Found:
        process.root.partitions.total = PARTITIONS
        reply = endpoint.reply(process.root, request)
        return Found(own_of("demo", process.root.partitions), reply, reply.body)


class Network:
    """Two processes with two partitions each, whose messages are lists."""

    def __init__(self, model: Path, state: Path, hook: Hook) -> None:
        stream = StreamSettings(peers=("http://peers:1",), roll_up_wait=WAIT * SECOND)
        self._settings = ServingSettings(stream=stream, receivers=(ReceiverSettings("webhook", hook.url),))
        self._model, self._state, self._stack = model, state, ExitStack()
        self.logs: dict[int, list[bytes]] = {number: [] for number in DEVICES}
        self.now, self.hook = 0.0, hook
        self.first, self.second = self.start("a", 0, 1), self.start("b", 2, 3)

    def start(self, name: str, *numbers: int) -> Process:
        process = self._stack.enter_context(Process(self._model, self._state, name, self._settings))
        for number in numbers:
            process.open(self.logs[number], number=number)
        return process

    def add(self, first: int, ticks: int, hot: str = "") -> None:
        for number, found in samples(first, ticks, hot).items():
            self.logs[number] += log_of(found)

    def feed(self, *processes: Process) -> None:
        for process in processes:
            for number, intake in process.owner.intakes.items():
                intake.partition.end = len(self.logs[number])
                process.feed(intake, self.logs[number])

    def aggregator(self, *processes: Process) -> Aggregator:
        return Aggregator(Wired(list(processes)), lambda: self.now)

    def turn(self, aggregator: Aggregator, turns: int = 4) -> None:
        for _ in range(turns):
            asyncio.run(aggregator.turn())
            self.now += 1.0

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def network(model: Path, tmp_path: Path) -> Iterator[Network]:
    with Hook() as hook:
        made = Network(model, tmp_path, hook)
        yield made
        made.close()


def sites(process: Process) -> list[Alert]:
    found = process.owner.intakes[0].runtime.store.recent()
    return [alert for alert in found if alert.kind == "site"]


def risks(*processes: Process) -> dict[str, str | None]:
    """Device → its site alert, of the stored risk alerts."""
    return {
        str(alert.device): alert.rolled_up
        for process in processes
        for intake in process.owner.intakes.values()
        for alert in intake.runtime.store.recent()
        if alert.kind == "risk"
    }


def test_alerts_of_all_partitions_become_one(network: Network) -> None:
    network.add(0, 4, "a")
    network.feed(network.first, network.second)
    network.turn(network.aggregator(network.first, network.second))
    (site,) = sites(network.first)
    assert site.devices == ["d0a", "d1a", "d2a", "d3a"]
    assert risks(network.first, network.second) == dict.fromkeys(site.devices, site.id)
    until(lambda: network.hook.ids() == [("opened", site.id)])
    assert network.second.owner.intakes[2].runtime.store.undelivered() == 0


def test_alerts_wait_for_a_partition_that_is_behind(network: Network) -> None:
    """Two are not enough for a site alert, until the other partitions have read the same samples."""
    network.add(0, 4, "a")
    network.feed(network.first)
    for number, intake in network.second.owner.intakes.items():
        intake.partition.end = len(network.logs[number])
    aggregator = network.aggregator(network.first, network.second)
    network.turn(aggregator, 5)
    assert (sites(network.first), set(risks(network.first).values())) == ([], {None})
    assert len(network.first.owner.intakes[0].runtime.active_alerts.to_roll_up()) == 1
    network.feed(network.second)
    network.turn(aggregator)
    assert [len(site.devices) for site in sites(network.first)] == [4]
    until(lambda: network.hook.taken != [])
    assert network.hook.ids() == [("opened", sites(network.first)[0].id)]


def test_few_alerts_are_sent_individually(network: Network) -> None:
    network.add(0, 4)
    for number in (1, 2):
        network.logs[number] += log_of([sample(DEVICES[number][0], tick, hot=True) for tick in (4, 5)])
    network.feed(network.first, network.second)
    aggregator = network.aggregator(network.first, network.second)
    network.turn(aggregator, 1)
    assert network.hook.taken == []
    network.turn(aggregator)
    until(lambda: {body["alert"]["device"] for body in network.hook.taken} == {"d1a", "d2a"})
    assert sites(network.first) == []
    decisions = aggregator._network.decisions
    network.turn(aggregator)
    assert aggregator._network.decisions == decisions  # nothing remains to be decided


def test_a_device_without_a_location_does_not_wait(network: Network) -> None:
    network.logs[2] += log_of([sample("alone", tick, hot=True) for tick in range(4)])
    network.feed(network.second)
    until(lambda: [body["alert"]["device"] for body in network.hook.taken] == ["alone"])
    (alert,) = network.second.owner.intakes[2].runtime.active_alerts.to_roll_up()
    assert not alert.held


def test_an_alert_whose_silence_is_over_waits_for_the_roll_up(model: Path, tmp_path: Path) -> None:
    stream = StreamSettings(peers=("http://peers:1",), roll_up_wait=WAIT * SECOND)
    settings = ServingSettings(stream=stream, receivers=(ReceiverSettings("webhook", "http://127.0.0.1:9"),))
    log = log_of([sample("a", tick, hot=True, data_center="x") for tick in range(135)])
    with Process(model, tmp_path, settings=settings) as process:
        silence = Silence(from_="2023-11-14T22:00", until="2023-11-14T22:20")
        process.root.alerting = AlertSettings(silences=(silence,))
        intake = process.open(log)
        process.feed(intake, log, 100)
        alerts = intake.runtime.active_alerts
        assert [one.held for one in alerts.to_roll_up()] == [False]
        process.feed(intake, log)
        assert [(one.silenced, len(one.renewed)) for one in alerts.open.values()] == [(False, 1)]
        assert [one.held for one in alerts.to_roll_up()] == [True]


def test_without_a_roll_up_alerts_are_sent_when_their_wait_is_over(network: Network) -> None:
    network.add(0, 4, "a")
    network.feed(network.second)
    runtime = network.second.owner.intakes[2].runtime
    held = runtime.active_alerts._held
    assert [alert.held for alert in runtime.active_alerts.to_roll_up()] == [True]
    assert list(runtime.store.outbox.held(0).values()) == [pytest.approx(held.clock() + WAIT, abs=5)]
    clock = held.clock
    held.clock = lambda: clock() + WAIT
    assert [alert.held for alert in runtime.active_alerts.to_roll_up()] == [False]
    # A decision that is too late changes nothing.
    (alert,) = runtime.active_alerts.to_roll_up()
    runtime.active_alerts.decide(Decision(0, {alert.id: "s"}))
    assert runtime.store.get(alert.id).rolled_up is None
    assert runtime.store.outbox.due(runtime.deliveries.names[0], clock() + WAIT + 1)[0].event == "opened"


def test_a_site_alert_stays_while_a_partition_is_missing(network: Network) -> None:
    network.add(0, 4, "a")
    network.feed(network.first, network.second)
    network.turn(network.aggregator(network.first, network.second))
    (site,) = sites(network.first)
    alone = network.aggregator(network.first)
    network.turn(alone, 30)
    assert [(one.id, one.ended) for one in sites(network.first)] == [(site.id, None)]
    # One more: three of the last known number of devices are too few for a site alert.
    network.logs[0] += log_of(samples(4, 3, "ab")[0])
    network.logs[1] += log_of(samples(4, 3, "a")[1])
    network.feed(network.first)
    assert len(risks(network.first)) == 3
    network.turn(alone, 30)
    assert [one.id for one in sites(network.first)] == [site.id]
    assert sites(network.first)[0].devices == site.devices


def test_the_next_owner_has_the_sizes_and_the_site_alerts(network: Network) -> None:
    network.add(0, 4, "a")
    network.feed(network.first, network.second)
    network.turn(network.aggregator(network.first, network.second))
    (site,) = sites(network.first)
    network.first.save()
    network.first.kill()
    third = network.start("c", 0)
    aggregator = network.aggregator(third)
    network.turn(aggregator, 1)
    assert third.owner.intakes[0].runtime.active_alerts.sites.open["data_center//x"].id == site.id
    assert sum(site.devices for one in aggregator._sizes.values() for site in one) == 12
    third.open(network.logs[1], number=1)
    network.feed(third)
    network.add(4, 3, "a")
    network.feed(third, network.second)
    network.turn(network.aggregator(third, network.second), 30)
    assert [(one.id, one.ended, one.devices) for one in sites(third)] == [(site.id, None, site.devices)]
    assert risks(third, network.second) == dict.fromkeys(site.devices, site.id)
    until(lambda: network.hook.ids() == [("opened", site.id)])


def test_unknown_sizes_open_no_site_alert(network: Network) -> None:
    """Four of the six known devices alert; there may be any number of others."""
    network.add(0, 4, "ab")
    network.feed(network.first)
    network.turn(network.aggregator(network.first), 30)
    assert sites(network.first) == []
    until(lambda: len(network.hook.taken) == 4)


def test_a_site_alert_ends_and_its_alerts_are_sent(network: Network) -> None:
    network.add(0, 4, "a")
    network.feed(network.first, network.second)
    aggregator = network.aggregator(network.first, network.second)
    network.turn(aggregator)
    (site,) = sites(network.first)
    # Of three partitions the devices cool down; that of partition 3 still alerts.
    for number in range(3):
        network.logs[number] += log_of(samples(4, 140)[number])
    network.logs[3] += log_of(samples(4, 100, "a")[3])
    network.feed(network.first, network.second)
    network.turn(aggregator, 8)
    (ended,) = sites(network.first)
    assert (ended.id, ended.end_reason) == (site.id, "fewer of its devices alert")
    assert risks(network.second)["d3a"] is None
    until(lambda: len(network.hook.taken) == 3)
    events = {(body["event"], body["alert"]["device"]) for body in network.hook.taken}
    assert events == {("opened", None), ("ended", None), ("opened", "d3a")}


def test_partitions_without_samples_have_no_say_in_the_end_of_a_site_alert(network: Network) -> None:
    aggregator = network.aggregator(network.first, network.second)
    network.logs[0] += log_of(samples(0, 4, "abc")[0])
    network.feed(network.first, network.second)
    network.turn(aggregator)
    network.logs[0] += log_of(samples(4, 300)[0])
    network.feed(network.first, network.second)
    network.turn(aggregator, 8)
    (site,) = sites(network.first)
    assert site.end_reason == "fewer of its devices alert"
    assert nanoseconds(site.ended) == (START + 303 * INTERVAL) * SECOND


def test_turns_without_a_change_do_not_roll_up_again(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    aggregator = network.aggregator(network.first, network.second)
    calls, rolled_up = [], aggregator._rolled_up
    monkeypatch.setattr(aggregator, "_rolled_up", lambda alerts: calls.append(len(alerts)) or rolled_up(alerts))
    network.add(0, 4, "a")
    network.feed(network.first, network.second)
    network.turn(aggregator, 6)
    (site,) = sites(network.first)
    calls.clear()
    network.turn(aggregator, 6)
    assert calls == []
    network.add(4, 3, "ab")
    network.feed(network.first, network.second)
    network.turn(aggregator, 6)
    assert calls
    assert len(sites(network.first)[0].devices) == 8
    calls.clear()
    network.turn(network.aggregator(network.first, network.second), 1)
    assert [one.id for one in sites(network.first)] == [site.id]


def test_only_the_owner_of_partition_0_decides(network: Network) -> None:
    network.add(0, 4, "a")
    network.feed(network.second)
    root = network.second.root
    (alert,) = network.second.owner.intakes[2].runtime.active_alerts.to_roll_up()

    def decide(token: int) -> None:
        body = msgspec.json.encode(Decision(token, {alert.id: f"s{token}"}))
        DECIDE.reply(root, Request("POST", DECIDE.path, body))

    root.partitions.peer_token = 5
    for token in (4, 2**62):
        with pytest.raises(BodyError, match="another owner"):
            decide(token)
    assert risks(network.second)["d2a"] is None
    decide(5)
    assert risks(network.second)["d2a"] == "s5"
    root.partitions.peer_token = 1  # the state of partition 0 was lost, and has begun again
    decide(1)
    root.partitions.peer_token = None
    decide(7)
    assert risks(network.second)["d2a"] == "s7"


def test_the_owner_of_partition_0_knows_that_it_owns_it(network: Network) -> None:
    token = network.first.root.partitions.owned[0].generation
    assert network.first.root.partitions.roll_up_token == token
    network.first.root.partitions.peer_token = token + 1  # taken over, which this process has not noticed
    with pytest.raises(BodyError, match="another owner"):
        DECIDE.reply(network.first.root, Request("POST", DECIDE.path, msgspec.json.encode(Decision(token))))


def test_refused_decisions_are_a_problem_if_they_last(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    network.add(0, 4, "a")
    network.feed(network.first, network.second)
    partitions, others = network.first.root.partitions, network.second.root.partitions
    others.peer_token = partitions.owned[0].generation + 1
    aggregator = network.aggregator(network.first, network.second)
    network.turn(aggregator, 4)
    assert health(network.first.root).problems == []
    network.turn(aggregator, 6)
    (problem,) = health(network.first.root).problems
    assert problem.startswith(f"process {others.instance} does not roll up alerts: ")
    assert "partition 0 has another owner" in problem
    assert [record.message for record in caplog.records] == [problem]
    others.peer_token -= 1
    network.turn(aggregator, 1)
    assert health(network.first.root).problems == []
    assert set(risks(network.second).values()) == {site.id for site in sites(network.first)}


def test_what_waits_is_restored(network: Network) -> None:
    network.add(0, 4, "a")
    network.feed(network.second)
    before = network.second.owner.intakes[2].runtime.active_alerts.to_roll_up()
    network.second.kill()
    third = network.start("c", 2)
    alerts = third.owner.intakes[2].runtime.active_alerts
    assert [replace_ended(one) for one in alerts.to_roll_up()] == before
    network.feed(third)
    assert alerts.to_roll_up() == before
    alerts.decide(Decision(0, released=[before[0].id]))
    until(lambda: network.hook.ids() == [("opened", before[0].id)])
    assert [one.held for one in alerts.to_roll_up()] == [False]


def replace_ended(one: RollUpAlert) -> RollUpAlert:
    return msgspec.structs.replace(one, ended=False)


def part(number: int, offset: int, end: int) -> PartitionAlerts:
    return PartitionAlerts(number, offset, end, 0, [], [])


def test_a_change_is_considered_when_all_partitions_have_passed_it() -> None:
    considered = Consideration(100)

    def pending(now: float, **offsets: int) -> bool:
        parts = {int(name[1:]): part(int(name[1:]), offset, 10) for name, offset in offsets.items()}
        return considered.pending(["x"], parts, 2, now) == {"x"}

    assert pending(0.0, p0=10, p1=10)  # what was sent at the same time may not be in the end yet
    assert pending(2.0, p0=10, p1=9)
    assert pending(3.0, p0=5)  # partition 0 has passed it before
    assert pending(4.0, p1=9)
    assert not pending(5.0, p1=10)
    assert not pending(6.0)
    assert considered.pending([], {}, 2, 7.0) == set()
    assert pending(8.0)
    assert pending(107.0)
    assert not pending(108.0)


def test_decisions() -> None:
    def alert(name: str, held: bool = False, rolled_up: str | None = None) -> RollUpAlert:
        return RollUpAlert(name, name, 0, None, None, held, False, rolled_up)

    site = Alert(id="s", kind="site", network="demo", opened="", devices=["a", "b", "c", "d"])
    alerts = [
        alert("a", held=True),
        alert("b"),  # sent before
        alert("c", rolled_up="s"),
        alert("d", rolled_up="other"),
        alert("e", rolled_up="ended"),
        alert("f", held=True),
        alert("g", held=True),
        alert("h"),
    ]
    found = decided(alerts, [site], {"g"}, 3)
    assert found == Decision(3, {"a": "s", "d": "s"}, ["e"], ["f"])
    assert found
    assert not decided([alert("b"), alert("g", held=True)], [site], {"g"}, 3)
