"""How long one request keeps the event loop; benchmarks/serving_stalls.py measures each attack in full."""

import asyncio
import json
from itertools import pairwise
from time import perf_counter

import pytest

from netops.serving.engine.samples import BodyError
from netops.serving.engine.work import SLICE
from netops.serving.settings import LimitSettings, ServingSettings
from tests.serving.models import SPEC
from tests.serving.samples import body, fleet, sample

pytest.importorskip("mlrun")


@pytest.fixture
def service_of(start):
    from netops.serving.requests.service import Service

    def serve(settings=None):
        pipeline = start(settings)
        return Service(pipeline)

    return serve


@pytest.fixture
def service(service_of):
    return service_of()


def count_turns(work):
    """Run work beside a task that counts how often it gets its turn."""

    async def run():
        counted = 0

        async def count():
            nonlocal counted
            while True:
                counted += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        try:
            return await work(), counted
        finally:
            counting.cancel()

    return asyncio.run(run())


def test_a_remote_write_of_empty_fields_is_refused(service):
    """L3: 385 kB of empty fields blocked for 12 to 41 s."""
    import cramjam

    flood = bytes(cramjam.snappy.compress_raw(b"\x0a\x00" * 3_000_000))
    since = perf_counter()
    with pytest.raises(BodyError, match="more than 640000 fields"):
        count_turns(lambda: service.process(flood, "application/x-protobuf"))
    assert perf_counter() - since < 30


def test_many_values_in_one_series_are_refused_while_they_are_read(service):
    import cramjam

    series = b"\x12\x00" * 20_000
    flood = b"\x0a" + bytes([0x80 | len(series) & 0x7F, 0x80 | len(series) >> 7 & 0x7F, len(series) >> 14]) + series
    with pytest.raises(BodyError, match="more than 10000 values"):
        count_turns(lambda: service.process(bytes(cramjam.snappy.compress_raw(flood)), "application/x-protobuf"))


def test_a_long_body_is_read_outside_of_the_event_loop(service):
    malformed = b"[" + b"1," * 9_999 + b"1]"
    answers, counted = count_turns(lambda: service.process(malformed, ""))
    assert json.loads(answers)[0]["status"] == "rejected"
    assert counted > 10_000 / SLICE


def test_samples_that_come_late_are_taken_in_small_parts(service):
    """L3: 10,000 late samples of one device took 18 s in one go."""
    state = service.runtime.state
    asyncio.run(service.run(service.pipeline.read(body(*fleet(1, 2000)))))
    late = [
        sample("d0", 1994 + tick % 5) | {"timestamp": sample("d0", 1995)["timestamp"] + (tick + 1) / 1e3}
        for tick in range(400)
    ]
    samples = service.pipeline.read(body(*late[::-1]))
    bounds = state.slices(samples, state.late(samples), SLICE)
    assert bounds[0] == 0
    assert bounds[-1] == len(late)
    walked = state.engine.samples(0) * len(SPEC.metrics) * 50e-9
    assert max(stop - start for start, stop in pairwise(bounds)) * walked < 0.02
    answers, counted = count_turns(lambda: service.run(samples))
    assert {answer.status for answer in answers} == {"scored"}
    assert counted >= len(bounds) - 2


def test_late_samples_of_a_request_are_limited(service_of):
    service = service_of(ServingSettings(limits=LimitSettings(late=600)))
    late = [sample("d0", 50) | {"timestamp": sample("d0", 50)["timestamp"] - (row + 1) / 1e3} for row in range(800)]
    asyncio.run(service.process(body(sample("d0", 50)), ""))
    answers = json.loads(asyncio.run(service.process(body(*late), "")))
    assert [answer["status"] for answer in answers] == ["scored"] * 600 + ["rejected"] * 200
    assert answers[600]["error"] == "more than 600 late samples in one request (limits.late)"
    letters = service.runtime.letters.path().read_text().splitlines()
    assert [json.loads(line)["sent"] for line in letters] == late[600:]
    rest = json.loads(asyncio.run(service.process(body(*late[600:]), "")))
    assert {answer["status"] for answer in rest} == {"scored"}, "the limit is that of one request"


def test_samples_sent_again_do_not_count_as_late(service_of):
    service = service_of(ServingSettings(limits=LimitSettings(late=500)))
    sent = body(*fleet(1, 1200))
    asyncio.run(service.process(sent, ""))
    again = json.loads(asyncio.run(service.process(sent, "")))
    assert {answer["status"] for answer in again} == {"duplicate", "late"}, "late: older than the windows"


def test_exact_reasons_are_shared_among_the_parts_of_a_request(service_of, monkeypatch):
    service = service_of(ServingSettings(exact_reasons=12))
    asked, reasons = [], type(service.runtime.model).reasons

    def counted(model, features, exact, contributions):
        asked.append(len(exact))
        return reasons(model, features, exact, contributions)

    monkeypatch.setattr(type(service.runtime.model), "reasons", counted)
    samples = service.pipeline.read(body(*[sample(f"d{n}", 0, hot=True) for n in range(3 * SLICE)]))
    asyncio.run(service.run(samples))
    assert asked == [4, 4, 4]
    asyncio.run(service.run(service.pipeline.read(body(*[sample(f"d{n}", 1, hot=True) for n in range(20)]))))
    assert asked[-1] == 12


def test_samples_in_order_are_cut_as_before(service):
    state = service.runtime.state
    samples = service.pipeline.read(body(*fleet(30, 40)))
    assert state.slices(samples, state.late(samples), SLICE) == [*range(0, 1200, SLICE), 1200]
    asyncio.run(service.run(samples))
    again = service.pipeline.read(body(*fleet(30, 40, first=40)))
    assert state.slices(again, state.late(again), SLICE) == [*range(0, 1200, SLICE), 1200]


def test_vectors_are_scored_in_parts_and_no_more_than_a_batch(service):
    """L3: 2.7 million empty rows took 8 s."""
    rows = [[0.1 * (row % 7)] * len(SPEC.names) for row in range(3 * SLICE)]
    request = json.dumps({"inputs": rows}).encode()
    (status, answer), counted = count_turns(lambda: service.score(request, "/v2/models/netops/infer"))
    whole = service.infer(request, "/v2/models/netops/infer", "POST")[1]
    assert (status, answer["outputs"]) == (200, whole["outputs"])
    assert counted >= 3
    with pytest.raises(BodyError, match="the limit is 10000"):
        asyncio.run(service.score(b'{"inputs": [' + b"[]," * 20_000 + b"[]]}", "/v2/models/netops/infer"))
    broken = b'{"inputs": [' + b"1," * 5_000
    assert asyncio.run(service.score(broken, "/v2/models/netops/infer"))[0] == 400


def test_each_device_gets_exact_reasons_where_it_opens_before_any_gets_more(service_of, monkeypatch):
    service = service_of(ServingSettings(exact_reasons=3))
    asked, reasons = [], type(service.runtime.model).reasons

    def counted(model, features, exact, contributions):
        asked.extend(sorted(exact.tolist()))
        return reasons(model, features, exact, contributions)

    monkeypatch.setattr(type(service.runtime.model), "reasons", counted)
    rows = [sample(name, tick, hot=True) for name in ("a", "b", "c") for tick in range(5)]
    asyncio.run(service.run(service.pipeline.read(body(*rows))))
    assert asked == [0, 5, 10]
