"""Requests of one sample that arrive together."""

import asyncio
import json
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from netops.serving.engine.samples import Samples, join
from netops.serving.requests import joined
from netops.serving.requests.joined import JoinedRequests
from netops.serving.requests.service import Service
from tests.serving.samples import fleet, sample


def bodies() -> list[bytes]:
    """Samples of devices that alert, with late, doubled, incomplete, invalid and unreadable ones among them."""
    random = np.random.default_rng(0)
    samples: list[object] = [dict(one) for one in fleet(6, 60)]
    for row in random.integers(0, len(samples), 40).tolist():
        kind = row % 5
        one = dict(samples[row]) if isinstance(samples[row], dict) else sample("x", row)
        if kind == 0:
            samples.insert(min(row + 6 * 3, len(samples)), one)  # again
        elif kind == 1:
            samples[row] = one | {"company": f"company-{row}", "data_center": "dc"}
        elif kind == 2:
            samples[row] = one | {"latency": None, "throughput": "high" if row % 2 else 1.0}
        elif kind == 3:
            samples[row] = {"device": "d1", "timestamp": one["timestamp"]}
        else:
            samples[row] = "not a sample"
    return [json.dumps(one).encode() for one in samples]


def sent_together(service: Service, requests: Sequence[bytes], at_once: int) -> tuple[list[bytes], list[int]]:
    """Send requests, some at a time; return the answers and how many were processed in each step."""
    sizes: list[int] = []
    validate = service.pipeline.validate

    def counted(samples: Samples) -> object:
        sizes.append(len(samples))
        return validate(samples)

    service.pipeline.validate = counted  # type: ignore[assignment,method-assign]

    async def send() -> list[bytes]:
        found: list[bytes] = []
        for start in range(0, len(requests), at_once):
            some = requests[start : start + at_once]
            found += await asyncio.gather(*(service.process(one, "application/json") for one in some))
        return found

    return asyncio.run(send()), sizes


def state_of(service: Service) -> object:
    runtime = service.runtime
    state = runtime.state
    alerts = [(alert.kind, alert.device, alert.opened, alert.peak) for alert in runtime.active_alerts.current()]
    saved = [state.engine.save(code) for code in state.table.codes()]
    table, newest = state.table, state.clock.newest.tolist()
    return saved, state.tracker.save(), table.names, table.locations, alerts, newest


@pytest.mark.parametrize("at_once", [2, 5, 400])
def test_requests_that_arrive_together_are_answered_as_alone(start, tmp_path, at_once):
    requests = bodies()
    alone = Service(start(folder=tmp_path / "alone"))
    expected, sizes = sent_together(alone, requests, 1)
    assert set(sizes) == {1}
    expected_state = state_of(alone)
    together = Service(start(folder=tmp_path / "together"))
    answers, sizes = sent_together(together, requests, at_once)
    # The first may come after a pause; no more are processed at once than in a slice.
    assert max(sizes) == min(at_once, 250)
    for one, other in zip(answers, expected, strict=True):
        # Reasons are exact for a number of samples of all the requests that are processed together.
        found, alike = (msgspec.json.decode(answer) for answer in (one, other))
        assert found | {"reasons": None} == alike | {"reasons": None}
    assert state_of(together) == expected_state
    statuses = {msgspec.json.decode(answer)["status"] for answer in answers}
    assert statuses == {"scored", "duplicate", "rejected"}


def test_an_error_is_that_of_every_request_of_the_batch_and_of_no_other():
    def fail(parts: Sequence[Samples]) -> list:
        if len(parts) > 1:
            raise RuntimeError("out of order")
        return ["answer"]

    async def send() -> tuple[list[object], object]:
        requests = JoinedRequests(fail)
        one = one_sample("a")
        found = await asyncio.gather(*(requests.run(one) for _ in range(3)), return_exceptions=True)
        return found, await requests.run(one)

    found, later = asyncio.run(send())
    assert [str(error) for error in found] == ["out of order"] * 3
    assert later == ["answer"]


def test_a_canceled_request_does_not_affect_the_others():
    async def send() -> list[object]:
        requests = JoinedRequests(lambda parts: [part.devices[0] for part in parts])  # type: ignore[misc]
        tasks = [asyncio.ensure_future(requests.run(one_sample(name))) for name in "abc"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = asyncio.run(send())
    assert (first, third) == (["a"], ["c"])
    assert isinstance(second, asyncio.CancelledError)


@pytest.mark.parametrize(("clients", "together"), [(1, {1}), (2, {1, 2}), (4, {4})])
def test_clients_that_send_one_request_after_the_other_are_answered_together(monkeypatch, clients, together):
    monkeypatch.setattr(joined, "_BUSY", 60.0)
    monkeypatch.setattr(joined, "_PATIENCE", 0.05)
    sizes: list[int] = []

    def process(parts: Sequence[Samples]) -> list:
        sizes.append(len(parts))
        return [part.devices[0] for part in parts]

    async def client(requests: JoinedRequests, number: int) -> None:
        for _ in range(30 + number):  # they end one after the other
            assert await requests.run(one_sample(str(number))) == [str(number)]
            for _ in range(3 * number):  # it takes longer to send the next request
                await asyncio.sleep(0)

    async def send() -> None:
        requests = JoinedRequests(process)
        await asyncio.gather(*(client(requests, number) for number in range(clients)))

    asyncio.run(send())
    assert sum(sizes) == sum(30 + number for number in range(clients))
    assert set(sizes[1:25]) <= together


def test_joined_samples_keep_errors_locations_and_failures_in_their_rows():
    plain, failed = one_sample("a"), one_sample("b")
    failed.errors, failed.raw = {0: "why"}, {0: b"{}"}
    failed.companies, failed.data_centers, failed.is_error = ["c"], ["d"], np.array([True])
    found = join([plain, failed, one_sample("e")])
    assert (found.devices, found.errors, found.raw) == (["a", "b", "e"], {1: "why"}, {1: b"{}"})
    assert (found.companies, found.data_centers) == ([None, "c", None], [None, "d", None])
    assert found.is_error is not None
    assert found.is_error.tolist() == [False, True, False]
    assert (found.share, found.metrics) == (3.0, ("m",))


def one_sample(device: str) -> Samples:
    return Samples([device], [1], np.ones(1, dtype=np.int64), np.zeros((1, 1)), single=True, metrics=("m",))
