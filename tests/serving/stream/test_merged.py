"""One view of several partitions: endpoints, metrics, and cursors of answers."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from netops.serving.alerts.store import Alert
from netops.serving.engine.merged_metrics import MergedCollector
from netops.serving.engine.partitions import Cursors
from netops.serving.engine.runtime import Runtime
from netops.serving.requests.access import Access
from netops.serving.requests.dispatch import Dispatcher
from netops.serving.requests.endpoint import Request, StateEndpoint
from netops.serving.requests.endpoints.alert import AlertRecord
from netops.serving.requests.processes import Answers, Found, Peer
from netops.serving.requests.registry import ENDPOINTS
from netops.serving.requests.reply import Reply, refusal
from netops.serving.requests.scope import Own, own_of
from tests.serving.samples import sample
from tests.serving.stream.process import Process, log_of


class Fixed:
    def __init__(self, *families: Metric) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return list(self._families)


def gauge(name: str, **values: float) -> Metric:
    family = GaugeMetricFamily(name, "about", labels=["device"])
    for device, value in values.items():
        family.add_metric([device], value)
    return family


def exported(*collectors: Fixed, **limits: int) -> list[str]:
    registry = CollectorRegistry()
    registry.register(MergedCollector(lambda: collectors, limits))
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_series_of_the_same_labels_are_added() -> None:
    counter = CounterMetricFamily("netops_c", "about", labels=["network"])
    counter.add_metric(["demo"], 2)
    other = CounterMetricFamily("netops_c", "about", labels=["network"])
    other.add_metric(["demo"], 3)
    found = exported(
        Fixed(gauge("netops_devices", a=1, b=2), counter), Fixed(gauge("netops_devices", b=3, c=4), other)
    )
    assert found == [
        'netops_devices{device="a"} 1.0',
        'netops_devices{device="b"} 5.0',
        'netops_devices{device="c"} 4.0',
        'netops_c_total{network="demo"} 5.0',
    ]


def test_times_are_the_earliest_and_what_is_the_same_stays() -> None:
    names = ("netops_event_time_seconds", "netops_alert_store_up", "netops_event_lag_seconds", "netops_model_info")
    found = exported(*(Fixed(*(gauge(name, x=value) for name in names)) for value in (1.0, 0.0)))
    assert found == [
        f'{name}{{device="x"}} {value}' for name, value in zip(names, (0.0, 0.0, 1.0, 1.0), strict=True)
    ]


def test_a_limited_family_has_the_highest_of_all() -> None:
    families = [Fixed(gauge("netops_device_risk", a=0.1, b=0.9)), Fixed(gauge("netops_device_risk", c=0.5, d=0.2))]
    assert exported(*families, netops_device_risk=2) == [
        'netops_device_risk{device="b"} 0.9',
        'netops_device_risk{device="c"} 0.5',
    ]


def test_families_of_one_runtime_are_not_changed() -> None:
    assert exported(Fixed(gauge("netops_device_risk", a=0.1, b=0.9)), netops_device_risk=2) == [
        'netops_device_risk{device="a"} 0.1',
        'netops_device_risk{device="b"} 0.9',
    ]


def test_a_cursor_has_a_position_in_each_partition() -> None:
    cursors = Cursors(1000)
    first = cursors.add({"a": 3})
    second = cursors.add({"a": 5, "b": 2})
    assert (first, second) == (1001, 1002)
    assert cursors.positions(first) == {"a": 3}
    assert cursors.positions(second) == {"a": 5, "b": 2}
    assert cursors.positions(0) == cursors.positions(999) == {}


def test_old_cursors_are_forgotten() -> None:
    cursors = Cursors(0)
    added = [cursors.add({"a": number}) for number in range(Cursors.LIMIT + 1)]
    assert cursors.positions(added[0]) == {}
    assert cursors.positions(added[1]) == {"a": 1}


#: Path → query, and what the answer has for device d of two partitions that have a and b.
ANSWERS: dict[str, tuple[dict[str, str], Any]] = {
    "/healthz": ({}, lambda found: [one["devices"] for one in found["partitions"]]),
    "/readyz": ({}, lambda found: [one["devices"] for one in found["partitions"]]),
    "/alerts": ({}, lambda found: sorted(one["device"] for one in found)),
    "/alerts/{name}": ({}, lambda found: found["alert"]["device"]),
    "/devices": ({}, lambda found: [one["device"] for one in found]),
    "/devices/{device}/logs": ({"device": "b"}, lambda found: found["device"]),
    "/fleet": ({}, lambda found: (found["known"], found["devices"], found["alerting"])),
    "/history": ({"device": "b"}, lambda found: len(found["times"])),
    "/metrics": ({}, lambda found: 'netops_devices{network="demo"} 2.0' in found),
    "/shadow": ({}, lambda found: (found["champion"], found["report"])),
    "/shadow-parts": ({}, lambda found: found),
    "/feedback": ({}, lambda found: found["network"]),
    "/site-feedback": ({}, lambda found: found),
    "/roll-up": (
        {},
        lambda found: [(one["number"], [alert["device"] for alert in one["alerts"]]) for one in found],
    ),
}
EXPECTED = {
    "/healthz": [1, 1],
    "/readyz": [1, 1],
    "/alerts": ["a", "b"],
    "/alerts/{name}": "a",
    "/devices": ["a", "b"],
    "/devices/{device}/logs": "b",
    "/fleet": (2, ["a", "b"], ["a", "b"]),
    "/history": 5,
    "/metrics": True,
    "/shadow": ("v1", None),
    "/shadow-parts": [],
    "/feedback": "demo",
    "/site-feedback": [],
    "/roll-up": [(0, ["a"]), (1, ["b"])],
}


@pytest.fixture(scope="module")
def process(model, tmp_path_factory):
    with Process(model, tmp_path_factory.mktemp("state")) as process:
        for number, device in enumerate("ab"):
            log = log_of([sample(device, tick, hot=True) for tick in range(5)])
            intake = process.open(log, number=number)
            process.feed(intake, log)
        process.owner.partitions.is_ready = True  # set by the reader
        yield process


@pytest.mark.parametrize("endpoint", [one for one in ENDPOINTS if one.method == "GET"], ids=lambda one: one.path)
def test_each_endpoint_answers_for_all_partitions(process: Process, endpoint: StateEndpoint) -> None:
    if endpoint.tag == "model":
        return
    query, read = ANSWERS[endpoint.path]
    if "{name}" in endpoint.path:
        (alert,) = process.owner.intakes[0].runtime.store.recent()
        query = {"name": alert.id}
    body = endpoint.reply(process.root, Request("GET", endpoint.path, query=query)).body
    found = body.decode() if isinstance(body, bytes) else msgspec.to_builtins(body)
    assert read(found) == EXPECTED[endpoint.path]


def test_without_a_partition_there_is_nothing(model, tmp_path) -> None:
    with Process(model, tmp_path) as process:
        for endpoint in ENDPOINTS:
            if endpoint.path in ("/alerts", "/devices"):
                assert endpoint.reply(process.root, Request("GET", endpoint.path)).body == []
            if endpoint.path in ("/fleet", "/healthz"):
                found = msgspec.to_builtins(endpoint.reply(process.root, Request("GET", endpoint.path)).body)
                assert found.get("known", found.get("devices", [])) in (0, [])


def answered(process: Process, path: str, **query: str) -> Reply:
    graph: Any = SimpleNamespace(runtime=process.root)
    return process.owner.call(Dispatcher(graph, Access(None)).answer(Request("GET", path, query=query)))


class Alone:
    """A process whose only peer does not answer."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def own(self) -> Own:
        return own_of("demo", self.runtime.partitions)

    def peers(self) -> list[Peer]:
        return [Peer("http://10.0.0.7:8080", why="refused")]


def test_the_addresses_of_peers_are_shown_with_the_token_only(model, tmp_path) -> None:
    with Process(model, tmp_path) as process:
        process.open([], number=0)
        process.root.partitions.total = 2
        graph: Any = SimpleNamespace(runtime=process.root)
        dispatcher = Dispatcher(graph, Access("secret"), Alone(process.root))
        shown, hidden = (
            process.owner.call(dispatcher.answer(Request("GET", "/healthz", authorization=given))).body
            for given in ("Bearer secret", "")
        )
    assert [peer.url for peer in shown.peers] == ["http://10.0.0.7:8080"]
    assert [one.why for one in shown.partitions] == ["", "http://10.0.0.7:8080: refused"]
    assert "10.0.0.7" not in str(hidden)
    assert (hidden.status, len(hidden.partitions)) == ("degraded", 2)


class Moving(Alone):
    """The process that has an alert does not have it any more when it is asked to record feedback."""

    async def ask_all(self, *_: Any, **__: Any) -> Answers:
        alert = Alert(id="a1", kind="risk", network="demo", opened="2024-01-01T00:00:00Z")
        return Answers([Found(self.own(), Reply(200, b""), AlertRecord(alert, []))], [])

    async def ask(self, *_: Any) -> Found:
        return Found(self.own(), refusal(404, "no alert 'a1'"))


def test_feedback_on_an_alert_that_moves_meanwhile_may_be_sent_again(model, tmp_path) -> None:
    with Process(model, tmp_path) as process:
        graph: Any = SimpleNamespace(runtime=process.root)
        request = Request("POST", "/alerts/a1/feedback", b'{"verdict": "confirmed"}')
        found = process.owner.call(Dispatcher(graph, Access(None), Moving(process.root)).answer(request))
    assert (found.status, "send the feedback again later" in str(found.body)) == (503, True)


@pytest.mark.parametrize("path", ["/feedback", "/alerts", "/devices", "/fleet", "/alerts/unknown"])
def test_without_peers_answers_name_the_partitions_of_other_processes(model, tmp_path, path) -> None:
    with Process(model, tmp_path) as process:
        process.open([], number=0)
        assert answered(process, path).headers["x-netops-missing"] == "t-?"
        process.root.partitions.total = 3
        process.open([], number=2)
        assert answered(process, path).headers["x-netops-missing"] == "t-1"
        assert "x-netops-missing" not in answered(process, path, scope="own").headers
        assert "x-netops-missing" not in answered(process, "/healthz").headers
        process.open([], number=1)
        assert "x-netops-missing" not in answered(process, path).headers
