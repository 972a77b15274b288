"""Devices that have logs and no metrics are scored at an interval, as they were sampled in training."""

import asyncio
import dataclasses
import random
import time
from pathlib import Path

import numpy as np
import pytest

from netops.config.durations import DAY, MINUTE, SECOND
from netops.features.spec import FeatureSpec
from netops.logs.samples import LogSpans
from netops.logs.tally import Tally
from netops.serving.engine.champion import FixedModel, load_model
from netops.serving.engine.clock import NEVER
from netops.serving.engine.pipeline import Pipeline
from netops.serving.logs.log_devices import LogDevices, samples_of
from netops.serving.logs.messages import STATUSES, Message
from netops.serving.settings import LimitSettings, ServingSettings
from tests.serving.log_models import TEXTS, log_columns
from tests.serving.models import METRICS, make_model
from tests.serving.samples import START, sample

BASE = START * SECOND
HISTORY = 10 * MINUTE


def model_of(folder: Path, metrics: tuple[str, ...]) -> FixedModel:
    columns = dataclasses.replace(log_columns(TEXTS[0]), interval=MINUTE, reach=10 * MINUTE)
    spec = FeatureSpec((*metrics, *columns.names), (HISTORY,), ("mean", "max"))
    return FixedModel("v1", make_model(folder, spec=spec, trees=60, depth=6, logs=columns.to_dict()))


@pytest.fixture
def service(start, tmp_path):
    """Start a service of a model of logs alone, or of metrics and logs."""
    pytest.importorskip("mlrun")
    from netops.serving.requests.service import Service

    def begin(metrics: tuple[str, ...] = (), **more):
        pipeline: Pipeline = start(source=model_of(tmp_path / f"of{len(metrics)}", metrics), **more)
        return Service(pipeline)

    return begin


def say(service, *messages: Message) -> list[str]:
    counts = service.runtime.intake("logs").add(messages)
    asyncio.run(service.score_log_devices())
    return [name for name, number in zip(STATUSES, counts.by_status, strict=True) for _ in range(number)]


def at(seconds: float, device: str = "d0", text: str = TEXTS[0]) -> Message:
    return Message(BASE + round(seconds * SECOND), device, 3, text)


def rows(service, device: str) -> tuple[list[int], np.ndarray]:
    """Times and counts of the samples of a device."""
    from netops.serving.requests.endpoints.history import HistoryQuery, history

    found = history(service.runtime, HistoryQuery(device))
    return found.times, np.array(list(found.values.values())).T


class TestDue:
    """When samples are made."""

    def _newest(self, **times: int) -> np.ndarray:
        newest = np.full(3, NEVER)
        for code, newest_time in times.items():
            newest[int(code[1:])] = newest_time
        return newest

    def test_at_the_end_of_each_interval(self) -> None:
        devices = LogDevices(MINUTE, HISTORY, patient=False)
        devices.note(0, BASE + SECOND, BASE + 2 * SECOND)
        first = -(-BASE // MINUTE) * MINUTE
        assert devices.due(self._newest(), BASE + 3 * SECOND) == []
        assert devices.due(self._newest(), first + 3 * SECOND) == [(0, first)]
        # The time of the logs is a second behind the clock.
        late = first + MINUTE + SECOND // 2
        assert devices.due(self._newest(c0=first), late) == []
        assert devices.due(self._newest(c0=first), late + SECOND) == [(0, first + MINUTE)]

    def test_of_old_messages_follow_their_time(self) -> None:
        devices, now = LogDevices(MINUTE, HISTORY, patient=False), BASE + 30 * DAY
        first = -(-BASE // MINUTE) * MINUTE
        devices.note(0, BASE, now)
        devices.note(1, BASE + 3 * MINUTE, now)
        found = devices.due(self._newest(), now)
        assert found == sorted(found, key=lambda one: one[1])
        assert [time for code, time in found if code == 0] == [first, first + MINUTE, first + 2 * MINUTE]
        assert devices.due(self._newest(), now) == [], "the same ones are not made again"

    def test_a_clock_that_is_ahead_counts_as_now(self) -> None:
        devices = LogDevices(MINUTE, HISTORY, patient=False)
        devices.note(0, BASE, BASE)
        devices.note(1, BASE + DAY, BASE)
        first = -(-BASE // MINUTE) * MINUTE
        assert devices.due(self._newest(), BASE + MINUTE) == [(0, first)]

    def test_after_a_pause_no_more_than_the_windows_hold(self) -> None:
        devices = LogDevices(MINUTE, HISTORY, patient=False)
        devices.note(0, BASE + DAY, BASE + DAY)
        assert len(devices.due(self._newest(c0=BASE), BASE + DAY)) == HISTORY // MINUTE

    def test_many_are_made_in_parts(self, monkeypatch) -> None:
        monkeypatch.setattr("netops.serving.logs.log_devices._AT_ONCE", 2)
        devices = LogDevices(MINUTE, HISTORY, patient=False)
        for code in range(3):
            devices.note(code, BASE, BASE)
        now, first = BASE + 2 * MINUTE, -(-BASE // MINUTE) * MINUTE
        assert devices.due(self._newest(), now) == [(0, first), (1, first), (2, first)]
        after = self._newest(c0=first, c1=first, c2=first)
        assert devices.due(after, now) == [(code, first + MINUTE) for code in range(3)]
        assert devices.due(after, now) == []

    def test_devices_without_messages_for_a_day_are_forgotten(self) -> None:
        devices = LogDevices(MINUTE, HISTORY, patient=False)
        devices.note(0, BASE, BASE)
        devices.note(1, BASE + 2 * DAY, BASE + 2 * DAY)
        assert devices.forgotten() == [0]


def test_samples_equal_those_of_training(service, tmp_path) -> None:
    """An oracle: the times of ``LogSpans``, which the ingest stage uses, and the tally over all messages."""
    running, draw = service(), random.Random(3)
    columns = running.runtime.model.counted[0]
    messages = [at(draw.uniform(0, 500), draw.choice(["d0", "d1", "d2"]), draw.choice(TEXTS)) for _ in range(150)]
    messages.sort()
    for first in range(0, len(messages), 7):
        say(running, *messages[first : first + 7])
    for device in ("d0", "d1", "d2"):
        own = [message for message in messages if message.host == device]
        # All but the last one, which is after the last message.
        times = LogSpans({device: own[0].time}, messages[-1].time).times(device, MINUTE)[:-1]
        tally = Tally(columns)
        tally.add(
            np.array([message.time for message in own], np.int64),
            np.array([message.severity for message in own], np.int8),
            columns.templates.find([message.text for message in own]),
        )
        found, counts = rows(running, device)
        assert [time * 10**6 for time in found] == times.tolist()
        np.testing.assert_array_equal(counts, tally.take(times))


def test_they_are_scored_and_in_the_answers_of_devices(service) -> None:
    running = service()
    assert say(running, at(1), at(70)) == ["counted", "counted"]
    code = running.runtime.state.table.code("d0")
    assert 0 < running.runtime.state.risk[code] < 1
    assert running.runtime.state.clock.now % MINUTE == 0


@pytest.mark.parametrize("pause", ["restart", "swap", "quiet"])
def test_messages_after_a_pause_are_counted(service, tmp_path, pause: str) -> None:
    running, now = service(), time.time_ns()
    start = now - 3 * 60 * MINUTE

    def add(minute: float) -> list[str]:
        return say(running, Message(start + round(minute * MINUTE), "d0", 3, TEXTS[0]))

    assert [status for minute in range(3) for status in add(minute)] == ["counted"] * 3
    if pause == "restart":
        running.runtime.save()
        running = service()
    elif pause == "swap":
        running.runtime.swap(load_model(model_of(tmp_path / "again", ()).champion()))
    samples = len(rows(running, "d0")[0])
    assert [status for minute in (40, 41, 90, 179) for status in add(minute)] == ["counted"] * 4
    assert len(rows(running, "d0")[0]) > samples
    assert running.runtime.state.clock.now > start + 170 * MINUTE


def test_messages_of_new_hosts_that_are_older_than_the_windows_are_late(service) -> None:
    running = service()
    assert say(running, at(0), at(-3_600, "d1"), at(-300, "d2")) == ["counted", "counted", "late"]


def test_a_device_that_is_removed_meanwhile_does_not_come_back(service) -> None:
    running = service()
    say(running, at(1), at(2, "d1"))
    state = running.runtime.state
    made = samples_of(
        [(0, BASE + 1000 * SECOND), (1, BASE + 1000 * SECOND)],
        state.table.names,
        running.runtime.model.spec.metrics,
    )
    state.drop([1])
    assert [answer.status for answer in asyncio.run(running.run(made))] == ["scored", "rejected"]
    assert state.table.code("d1") is None


def test_a_restart_continues(service) -> None:
    running = service()
    say(running, at(1), at(130), at(131))
    running.runtime.save()
    before, _ = rows(running, "d0")
    running = service()
    # The message that is sent again is not counted twice.
    assert say(running, at(131), at(200)) == ["counted", "duplicate"]
    after, counts = rows(running, "d0")
    assert after[: len(before)] == before
    assert np.diff(after).tolist() == [MINUTE // 10**6] * (len(after) - 1)
    assert counts[:, 0].tolist() == [1, 0, 2]


def test_a_device_that_sends_metrics_is_no_longer_sampled(service) -> None:
    running = service(METRICS)
    say(running, at(1))
    running.pipeline.run([sample("d0", 1)])
    say(running, at(1000), at(1001, "d1"))
    times, _ = rows(running, "d0")
    assert times == [(START + 5) * 1000]


def test_networks_with_metrics_wait_for_them_first(service) -> None:
    running = service(METRICS)
    say(running, at(1), at(100))
    assert rows(running, "d0")[0] == []
    say(running, at(170))
    assert len(rows(running, "d0")[0]) == 3


def test_hosts_do_not_evict_devices(service) -> None:
    running = service(METRICS, settings=ServingSettings(limits=LimitSettings(devices=2)))
    running.pipeline.run([sample("a", 1)])
    assert say(running, at(6, "b"), at(6, "c"), at(6, "x" * 200), at(6, "\x00")) == [
        "counted",
        "unknown_device",
        "unknown_device",
        "over_limit",
    ]
    assert running.runtime.state.table.names == ["a", "b"]


def test_a_model_without_such_devices_does_not_know_them(start, tmp_path) -> None:
    columns = log_columns(TEXTS[0])
    spec = FeatureSpec((*METRICS, *columns.names), (HISTORY,))
    model = make_model(tmp_path / "v1", spec=spec, logs=columns.to_dict())
    runtime = start(source=FixedModel("v1", model)).runtime
    counts = runtime.intake("logs").add([at(1)])
    assert dict(zip(STATUSES, counts.by_status, strict=True))["unknown_device"] == 1
