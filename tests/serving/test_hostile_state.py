"""What senders do wrong, and what must not become of it: names, times, too many devices, samples that come late."""

import json

import httpx
import numpy as np
import pytest

from netops.config.durations import HOUR, MINUTE, SECOND
from netops.serving.decode.remote_write import Joiner, Point
from netops.serving.settings import LimitSettings, ServingSettings
from tests.serving.samples import START, body, fleet, sample

#: Somewhen in 2110.
FAR = 4_420_000_000
BROKEN = (
    b'[{"timestamp": %d, "device": "evil-\\ud800", "latency": NaN}, {"timestamp": %d, "device": "a", "latency": 1}]'
)


def statuses(pipeline, *samples):
    return [answer.status for answer in pipeline.run(body(*samples))]


@pytest.mark.parametrize("column", ["device", "company", "data_center"])
def test_a_lone_surrogate_in_a_name_is_refused(start, column):
    """S1: it was taken, and from then on no snapshot succeeded."""
    pipeline = start()
    one = {"timestamp": START, "device": "a", "latency": float("nan")} | {column: "evil-\ud800"}
    (bad, good) = pipeline.run(json.dumps([one, sample("b", 0)]).encode())
    assert (bad.status, good.status) == ("rejected", "scored")
    assert "surrogate" in bad.error
    assert pipeline.run([one])[0].status == "rejected"  # parsed already, as MLRun does
    pipeline.runtime.save()
    assert pipeline.runtime.letters.path().read_bytes().count(b"\n") == 2


def test_a_server_that_was_sent_a_lone_surrogate_answers_as_before(server):
    pytest.importorskip("mlrun")
    answer = httpx.post(server + "/telemetry", content=BROKEN % (START, START))
    assert [found["status"] for found in answer.json()] == ["rejected", "scored"]
    for path in ("/devices", "/fleet", "/metrics", "/alerts", "/healthz"):
        assert httpx.get(server + path).status_code == 200


def test_more_devices_in_a_request_than_there_is_room_for_are_rejected(start):
    """S3: IndexError, and every snapshot failed afterwards."""
    pipeline = start(ServingSettings(limits=LimitSettings(devices=5)))
    answers = pipeline.run(body(*[sample(f"d{number}", 0) for number in range(8)]))
    assert [answer.status for answer in answers] == ["scored"] * 5 + ["rejected"] * 3
    assert "limits.devices" in answers[5].error
    assert statuses(pipeline, *[sample(f"e{number}", 1) for number in range(5)]) == ["scored"] * 5
    pipeline.runtime.save()
    assert len(pipeline.runtime.state.table) == 5


def test_a_lower_limit_keeps_the_most_recently_seen_devices(start):
    """S3: the server did not start."""
    pipeline = start()
    for first in range(0, 60, 20):
        pipeline.run(body(*[sample(f"d{number}", 0) for number in range(first, first + 20)]))
    pipeline.runtime.save()
    again = start(ServingSettings(limits=LimitSettings(devices=7)))
    assert sorted(filter(None, again.runtime.state.table.names)) == [f"d{number}" for number in range(53, 60)]
    assert statuses(again, sample("new", 1)) == ["scored"]
    again.runtime.save()


def test_a_late_sample_leaves_the_newest_risk_and_values_alone(start):
    """S4: the risk went from 0.998 to 0.051."""
    pipeline = start()
    pipeline.run(body(*[sample("a", tick, hot=True) for tick in range(4)], sample("a", 6, hot=True)))
    state = pipeline.runtime.state
    risk, values = state.risk[0], state.values[0].copy()
    assert statuses(pipeline, sample("a", 5)) == ["scored"]
    assert state.risk[0] == risk > 0.9
    assert np.array_equal(state.values[0], values)


def test_a_first_sample_of_the_far_future_does_not_lock_the_only_device_out(start):
    """S7: every later sample was answered `late`, for ever."""
    pipeline = start()
    assert statuses(pipeline, sample("a", 0) | {"timestamp": FAR}) == ["scored"]
    answers = [statuses(pipeline, sample("a", tick))[0] for tick in range(6)]
    assert answers == ["late"] * 2 + ["scored"] * 4
    assert pipeline.runtime.state.clock.now == (START + 25) * SECOND


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_one_sample_of_the_far_future_costs_a_device_little(start, devices):
    pipeline, whole = start(), []
    pipeline.run(body(*fleet(devices, 40)))
    assert statuses(pipeline, sample("d0", 40) | {"timestamp": FAR}) == ["scored"]
    pipeline.runtime.save()
    pipeline = start()
    for tick in range(41, 50):
        whole += statuses(pipeline, *[sample(f"d{number}", tick) for number in range(devices)])
    assert whole.count("scored") >= len(whole) - 2
    state = pipeline.runtime.state
    assert state.clock.now == (START + 49 * 5) * SECOND
    # The windows are those from before, not new ones.
    assert len(state.engine.save(0)) > 40 * 8


def test_clocks_that_were_all_wrong_at_first_are_all_set_right(start):
    pipeline = start()
    names = [f"d{number}" for number in range(5)]
    for tick in range(4):
        statuses(pipeline, *[sample(name, 0, hot=True) | {"timestamp": FAR + tick} for name in names])
    assert len(pipeline.runtime.active_alerts.open) == 5
    last = [statuses(pipeline, *[sample(name, tick) for name in names]) for tick in range(8)][-1]
    assert last == ["scored"] * 5
    assert pipeline.runtime.state.clock.now == (START + 35) * SECOND
    assert not pipeline.runtime.active_alerts.open


def test_a_replay_of_old_samples_sets_no_clock_back(start):
    pipeline = start()
    samples = fleet(1, 2000)
    pipeline.run(body(*samples))
    before = pipeline.runtime.state.engine.save(0)
    assert set(statuses(pipeline, *samples)) == {"late", "duplicate"}
    assert pipeline.runtime.state.engine.save(0) == before


def points(device, second, metrics, value=1.0):
    return [Point(device, second * SECOND, metric, value, None, None) for metric in metrics]


@pytest.mark.parametrize("known", [True, False])
def test_one_value_of_the_far_future_makes_no_later_sample_incomplete(known):
    """S6: half of the telemetry was lost, across restarts."""
    joiner = Joiner(("a", "b"), 10 * SECOND, 100, 10 * MINUTE)
    now = START * SECOND if known else -1
    complete = 0
    joiner.add(points("x", FAR, "a"), now)
    for second in range(START, START + 300, 5):
        for metric in "ab":
            done = joiner.add(points("x", second, metric), now)
            complete += int((~np.isnan(done.values)).all(axis=1).sum())
            assert not np.isnan(done.values).any()
        now = second * SECOND if known else -1
    assert complete == 60
    again = Joiner(("a", "b"), 10 * SECOND, 100, 10 * MINUTE)
    again.restore(joiner.save())
    again.add(points("x", START + 300, "a"), now)
    assert len(again.add(points("x", START + 300, "b"), now)) == 1


def test_what_waits_to_be_joined_is_bounded():
    joiner = Joiner(("a", "b"), HOUR, 100, HOUR)
    done = joiner.add(points("x", START, "a"), START * SECOND)
    for second in range(START + 1, START + 1500):
        done = joiner.add(points("x", second, "a"), START * SECOND)
    assert len(done) == 1
    assert len(joiner.save()) == 1000
