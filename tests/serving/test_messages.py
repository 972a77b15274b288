"""Messages and events in service are counted as in training, once, whatever happens in between."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from netops.config.durations import SECOND
from netops.errors import NetopsError
from netops.logs.columns import LogColumns
from netops.logs.events import EventColumns
from netops.logs.severity import ERROR
from netops.logs.tally import Tally
from netops.serving.engine.background import refresh, save
from netops.serving.engine.champion import ChampionFile, FixedModel, load_model
from netops.serving.engine.pipeline import Pipeline
from netops.serving.logs.device_counts import DeviceCounts
from netops.serving.logs.messages import STATUSES, Message
from netops.serving.settings import LimitSettings, ServingSettings
from tests.serving.log_models import REACH, TEXTS, log_columns, make_log_model
from tests.serving.samples import INTERVAL, START, sample

BASE = START * SECOND


@pytest.fixture(scope="module")
def log_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_log_model(tmp_path_factory.mktemp("log-model") / "v1", log_columns(TEXTS[0], TEXTS[3]))


@pytest.fixture
def begin(start, log_model):
    return lambda **more: start(source=more.pop("source", FixedModel("v1", log_model)), **more)


def say(pipeline: Pipeline, *messages: Message, kind: str = "logs") -> dict[str, int]:
    """Send messages; return how many have each status, without zeros."""
    counts = pipeline.runtime.intake(kind).add(messages)
    return {name: number for name, number in zip(STATUSES, counts.by_status, strict=True) if number}


def at(seconds: float, text: str = TEXTS[0], device: str = "d0", severity: int = ERROR) -> Message:
    return Message(BASE + round(seconds * SECOND), device, severity, text)


def counted(pipeline: Pipeline, device: str = "d0") -> dict[str, float]:
    """The counts of the newest sample of a device, without zeros and unknown ones."""
    runtime = pipeline.runtime
    code = runtime.state.table.code(device)
    values = dict(zip(runtime.model.spec.metrics, runtime.state.values[code].tolist(), strict=True))
    return {name: value for name, value in values.items() if name.startswith(("log_", "event_")) and value > 0}


def column_of(pipeline: Pipeline, text: str) -> str:
    """The column that counts the messages with the template of a text."""
    columns = pipeline.runtime.model.counted[0]
    assert isinstance(columns, LogColumns)
    template = columns.text_of(columns.kinds_of([text])[0])
    return next(name for name, known in columns.texts().items() if known == template)


def test_a_sample_counts_the_messages_since_the_one_before(begin) -> None:
    pipeline = begin()
    pipeline.run([sample("d0", 0)])
    assert say(pipeline, at(1), at(2), at(2.5, TEXTS[3], severity=6), at(7)) == {"counted": 4}
    pipeline.run([sample("d0", 1)])
    down, fan = column_of(pipeline, TEXTS[0]), column_of(pipeline, TEXTS[3])
    assert counted(pipeline) == {
        "log_message_count": 3,
        "log_error_count": 2,
        "log_distinct_templates": 2,
        down: 2,
        fan: 1,
        "log_seconds_since_error": 3,
    }
    pipeline.run([sample("d0", 2)])
    assert counted(pipeline)["log_message_count"] == 1, "the message of second 7 is of the next sample"


def test_counts_equal_those_of_training(begin) -> None:
    """An oracle: the tally over the whole of each device's messages, as the features stage runs it."""
    pipeline, draw = begin(), random.Random(1)
    columns = pipeline.runtime.model.counted[0]
    assert isinstance(columns, LogColumns)
    positions = [pipeline.runtime.model.spec.metrics.index(name) for name in columns.names]
    sent: dict[str, list[Message]] = {}
    seen: dict[str, list[Any]] = {}
    for tick in range(60):
        for device in ("d0", "d1", "d2"):
            messages = [
                at(
                    (tick + draw.random()) * INTERVAL - INTERVAL,
                    draw.choice([*TEXTS, "never seen before 7"]),
                    device,
                    draw.randrange(-1, 8),
                )
                for _ in range(draw.choice([0, 0, 1, 5]))
            ]
            if tick:
                sent.setdefault(device, []).extend(messages)
                say(pipeline, *messages)
            if draw.random() < 0.8 or tick == 0:
                pipeline.run([sample(device, tick)])
                code = pipeline.runtime.state.table.code(device)
                seen.setdefault(device, []).append((tick, pipeline.runtime.state.values[code, positions].copy()))
    for device, rows in seen.items():
        tally = Tally(columns)
        messages = sent[device]
        tally.add(
            np.array([message.time for message in messages], np.int64),
            np.array([message.severity for message in messages], np.int8),
            columns.templates.find([message.text for message in messages]),
        )
        expected = tally.take(np.array([BASE + tick * INTERVAL * SECOND for tick, _ in rows], np.int64))
        np.testing.assert_array_equal(np.array([values for _, values in rows]), expected)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (at(5), "late"),
        (at(-100), "late"),
        (at(5.001), "counted"),
        (at(6, device="D0.corp.example:514"), "counted"),
        (at(6, device="other"), "unknown_device"),
        (Message(time.time_ns() + 3_600 * SECOND, "d0", ERROR, TEXTS[0]), "ahead"),
    ],
)
def test_a_message_has_a_status(begin, message: Message, status: str) -> None:
    pipeline = begin()
    pipeline.run([sample("d0", 0), sample("d0", 1)])
    assert say(pipeline, message) == {status: 1}
    metrics = pipeline.runtime.metrics.export().decode()
    assert f'netops_messages_total{{kind="logs",network="demo",status="{status}"}} 1.0' in metrics


def test_equal_messages_are_duplicates_unless_their_times_are_whole_seconds(begin) -> None:
    pipeline = begin()
    pipeline.run([sample("d0", 0)])
    assert say(pipeline, at(1.25), at(1.25), at(1.25, TEXTS[3]), at(2), at(2)) == {"counted": 4, "duplicate": 1}
    pipeline.run([sample("d0", 1)])
    assert counted(pipeline)["log_message_count"] == 4


def test_waiting_messages_are_limited(begin, monkeypatch) -> None:
    monkeypatch.setattr("netops.serving.logs.device_counts.WAITING", 3)
    pipeline = begin()
    pipeline.run([sample("d0", 0)])
    assert say(pipeline, *(at(1 + n / 7) for n in range(4))) == {"counted": 3, "over_limit": 1}
    pipeline.run([sample("d0", 1)])
    assert say(pipeline, at(6)) == {"counted": 1}


def test_waiting_messages_of_all_devices_are_limited(begin) -> None:
    settings = ServingSettings(limits=LimitSettings(messages=5))
    pipeline = begin(settings=settings)
    counts = pipeline.runtime.state.counts["logs"]
    pipeline.run([sample("d0", 0), sample("d1", 0)])
    assert say(pipeline, *(at(1 + n / 7, device=f"d{n % 2}") for n in range(7))) == {"counted": 5, "over_limit": 2}
    pipeline.runtime.save()
    pipeline = begin(settings=settings)
    counts = pipeline.runtime.state.counts["logs"]
    assert counts.waiting == 5
    pipeline.run([sample("d0", 1)])
    assert counts.waiting == 2
    assert say(pipeline, at(6)) == {"counted": 1}
    pipeline.runtime.state.drop([pipeline.runtime.state.table.code("d1")])
    assert counts.waiting == 1


def test_messages_that_are_too_old_for_the_next_samples_make_room(begin) -> None:
    pipeline = begin(settings=ServingSettings(limits=LimitSettings(messages=2)))
    pipeline.run([sample("d0", 0), sample("d1", 0), sample("d2", 0)])
    # d0 does not send samples any more.
    assert say(pipeline, at(1.5), at(2.5, severity=6), at(3, device="d1")) == {"counted": 2, "over_limit": 1}
    for tick in (20, 21):
        pipeline.run([sample("d1", tick), sample("d2", tick)])
    assert say(pipeline, at(106, device="d1")) == {"counted": 1}
    assert pipeline.runtime.state.counts["logs"].waiting == 1
    # What was removed is in the age of the last error, as it is in training.
    pipeline.run([sample("d0", 22)])
    assert counted(pipeline) == {"log_seconds_since_error": 22 * INTERVAL - 1.5}


def test_many_messages_of_a_time_are_added_one_by_one(begin) -> None:
    counts = begin().runtime.state.counts["logs"]
    for check in range(9_999):
        assert STATUSES[counts.add(0, BASE + 1, ERROR, 0, check)] == "counted"
    assert STATUSES[counts.add(0, BASE + 1, ERROR, 0, 7)] == "duplicate"


def test_a_sample_that_is_ahead_takes_no_messages(begin) -> None:
    pipeline = begin()
    pipeline.run([sample(f"d{device}", tick) for tick in range(6) for device in range(5)])
    assert say(pipeline, at(26), at(27)) == {"counted": 2}
    ahead = sample("d0", 10_000)
    assert pipeline.run([ahead])[0].status == "scored"
    assert say(pipeline, at(28)) == {"counted": 1}
    pipeline.run([sample(f"d{device}", 6) for device in range(5)])
    assert counted(pipeline)["log_message_count"] == 3
    # They are not counted again.
    assert say(pipeline, at(28)) == {"late": 1}


def test_syslog_does_not_move_the_replay_point(begin) -> None:
    pipeline = begin()
    pipeline.run([sample("d0", 100)])
    pipeline.run([sample("d1", 0)])
    pipeline.runtime.save()
    point = pipeline.runtime.replay_point
    assert pipeline.runtime.intake("logs").add([at(-1_000, device="d1")], is_repeated=False).by_status[2] == 1
    old = at(4, device="d1")
    assert pipeline.runtime.intake("logs").add([old], is_repeated=False).by_status[0] == 1
    assert (pipeline.runtime.replay_point, pipeline.runtime.replay.due) == (point, False)


def test_counts_that_are_sent_are_not_replaced(begin) -> None:
    pipeline = begin()
    pipeline.run([sample("d0", 0)])
    say(pipeline, at(1))
    pipeline.run([sample("d0", 1, log_message_count=7)])
    assert counted(pipeline) == {"log_message_count": 7}


def test_counts_of_a_sample_that_comes_late_are_unknown(begin) -> None:
    pipeline = begin()
    pipeline.run([sample("d0", 0), sample("d0", 2)])
    answer = pipeline.run([sample("d0", 1)])[0]
    assert answer.status == "scored"
    assert say(pipeline, at(6)) == {"late": 1}


def test_events_are_counted(begin) -> None:
    pipeline = begin()
    pipeline.run([sample("d0", 0)])
    say(pipeline, at(1, "Config", severity=-1), at(2, "fire", severity=-1), kind="events")
    pipeline.run([sample("d0", 1)])
    assert counted(pipeline) == {"event_config_count": 1, "event_other_count": 1, "event_config_seconds_since": 4}


def test_events_without_a_kind_of_their_own_are_counted(tmp_path: Path) -> None:
    columns = EventColumns((), REACH)
    counts = DeviceCounts(columns, ("latency", *columns.names), 3)
    values = np.full((2, 2), np.nan)
    for second in (1, 2):
        assert STATUSES[counts.add(1, second * SECOND, -1, columns.kinds_of(["fire"])[0], second)] == "counted"
    counts.fill(np.array([1, 1]), np.array([SECOND, 5 * SECOND]), values)
    assert values[:, 1].tolist() == [1, 1]


def test_a_model_without_logs_refuses_messages(start) -> None:
    with pytest.raises(NetopsError, match="trained without logs: train one with --logs"):
        start().runtime.intake("logs")


def test_remote_write_does_not_wait_for_counts(begin) -> None:
    runtime = begin().runtime
    assert runtime.joiner._expected == {
        runtime.model.spec.metrics.index(name) for name in runtime.model.sent_metrics
    }
    assert runtime.model.sent_metrics == ("cpu_utilization", "latency", "packet_loss", "throughput")


class TestKilled:
    """A server that was killed comes to the same as one that was not."""

    def _requests(self, seed: int, ticks: int = 80) -> list[tuple[str, int, Any]]:
        """Samples and messages in order of arrival, with their event times; some messages have whole seconds."""
        draw = random.Random(seed)
        found: list[tuple[str, int, Any]] = []
        for tick in range(ticks):
            for device in ("d0", "d1", "d2", "d3"):
                for _ in range(draw.choice([0, 1, 1, 4]) if tick else 0):
                    seconds = (tick - 1 + draw.random()) * INTERVAL
                    seconds = round(seconds) if draw.random() < 0.3 else seconds
                    message = at(seconds, draw.choice(TEXTS), device, draw.randrange(8))
                    found.append(("logs", message.time, message))
                if draw.random() < 0.1:
                    event = at(tick * INTERVAL - 1.5, "reboot", device, -1)
                    found.append(("events", event.time, event))
                found.append(("sample", BASE + tick * INTERVAL * SECOND, sample(device, tick)))
        return found

    def _send(self, pipeline: Pipeline, request: tuple[str, int, Any], answers: dict[Any, Any]) -> None:
        kind, _, body = request
        if kind != "sample":
            say(pipeline, body, kind=kind)
            return
        answer = pipeline.run([body])[0]
        if answer.status == "scored":
            code = pipeline.runtime.state.table.code(answer.device)
            values = pipeline.runtime.state.values[code].tolist()
            found = (answer.risk, answer.alert, [value if value == value else None for value in values])
            assert answers.setdefault((answer.device, answer.timestamp), found) == found

    @pytest.mark.parametrize("seed", range(6))
    def test_messages_that_are_sent_again_are_counted_once(self, begin, tmp_path: Path, seed: int) -> None:
        requests, draw = self._requests(seed), random.Random(seed)
        expected: dict[Any, Any] = {}
        pipeline = begin(folder=tmp_path / "never")
        for request in requests:
            self._send(pipeline, request, expected)
        answers: dict[Any, Any] = {}
        pipeline, kills = begin(folder=tmp_path / "killed"), 0
        for number, request in enumerate(requests):
            self._send(pipeline, request, answers)
            if draw.random() < 0.03:
                pipeline.runtime.save()
            if draw.random() < 0.015:
                pipeline, kills = begin(folder=tmp_path / "killed"), kills + 1
                point = pipeline.runtime.replay_point
                for again in requests[: number + 1]:
                    if point is None or again[1] > point:
                        self._send(pipeline, again, answers)
        assert kills, "no kill in this run"
        assert answers == expected

    def test_messages_that_are_not_sent_again_are_in_the_snapshot(self, begin) -> None:
        pipeline = begin()
        pipeline.run([sample("d0", 0)])
        say(pipeline, at(1), at(2), at(3.5))
        pipeline.runtime.save()
        pipeline = begin()
        assert say(pipeline, at(4)) == {"counted": 1}
        pipeline.run([sample("d0", 1)])
        assert counted(pipeline)["log_message_count"] == 4

    def test_a_message_alone_is_in_the_next_incremental_snapshot(self, begin) -> None:
        pipeline = begin()
        pipeline.run([sample("d0", 0), sample("d1", 0)])
        pipeline.runtime.save()
        say(pipeline, at(1))
        pipeline.runtime.save()
        pipeline = begin()
        pipeline.run([sample("d0", 1)])
        assert counted(pipeline)["log_message_count"] == 1

    def test_a_damaged_record_is_reported(self, begin) -> None:
        counts = begin().runtime.state.counts["logs"]
        with pytest.raises(NetopsError, match="damaged"):
            counts.restore(0, b"nonsense")
        for changed in ({"checks": []}, {"kinds": [7]}, {"last": 1.5}):
            values = {"last": 0, "latest": {}, "times": [1], "severities": [1], "kinds": [0], "checks": [1]}
            state = msgspec.msgpack.encode([*{**values, **changed}.values(), ["text"]])
            with pytest.raises(NetopsError, match="damaged"):
                counts.restore(0, state)


class TestOtherTemplates:
    """A champion whose templates have other numbers, and of which others are counted."""

    @pytest.fixture
    def other(self, tmp_path: Path) -> Path:
        columns = log_columns(TEXTS[1], TEXTS[3], texts=tuple(reversed(TEXTS)))
        return make_log_model(tmp_path / "v2", columns, "v2", seed=1)

    def test_goes_into_service_after_messages_over_the_limit(self, begin, other: Path) -> None:
        pipeline = begin(settings=ServingSettings(limits=LimitSettings(messages=2)))
        pipeline.run([sample("d0", 0), sample("d1", 0)])
        say(pipeline, at(1), at(2), at(3, device="d1"))
        pipeline.runtime.swap(load_model(FixedModel("v2", other).champion()))
        assert [answer.status for answer in pipeline.run([sample("d0", 1), sample("d1", 1)])] == ["scored"] * 2
        assert counted(pipeline)["log_message_count"] == 2

    def test_a_failed_change_changes_nothing(self, begin, other: Path, monkeypatch) -> None:
        pipeline = begin()
        pipeline.run([sample("d0", 0)])
        say(pipeline, at(1))
        monkeypatch.setattr(DeviceCounts, "changed_to", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pipeline.runtime.swap(load_model(FixedModel("v2", other).champion()))
        assert pipeline.runtime.model.version == "v1"
        pipeline.run([sample("d0", 1)])
        assert counted(pipeline)["log_message_count"] == 1

    def test_waits_for_a_snapshot(self, begin, other: Path, tmp_path: Path, log_model) -> None:
        file = tmp_path / "champion.json"
        ChampionFile(file).promote("v1", log_model)
        pipeline = begin(source=ChampionFile(file))
        pipeline.run([sample(f"d{device}", 0) for device in range(600)])
        ChampionFile(file).promote("v2", other)

        async def both() -> None:
            await asyncio.gather(save(pipeline.runtime), refresh(pipeline.runtime))

        asyncio.run(both())
        assert pipeline.runtime.model.version == "v2"
        assert len(begin(source=ChampionFile(file)).runtime.state.table) == 600

    def test_samples_that_were_read_before_are_converted(self, begin, other: Path) -> None:
        pipeline = begin()
        before = pipeline.read([sample("d0", tick) for tick in range(3)])
        pipeline.runtime.swap(load_model(FixedModel("v2", other).champion()))
        assert [answer.status for answer in pipeline.run(before)] == ["scored"] * 3
        code = pipeline.runtime.state.table.code("d0")
        assert pipeline.runtime.state.values[code, :4].tolist() == [0.1, 0.1, 0.0, -0.1]

    def test_the_age_of_events_follows_their_kind(self) -> None:
        before, after = EventColumns(("config", "reboot"), REACH), EventColumns(("bgp", "config"), REACH)
        counts = DeviceCounts(before, before.names, 3)
        counts.add(1, 5 * SECOND, -1, before.kinds_of(["config"])[0], 0)
        values = np.full((1, len(before.names)), np.nan)
        counts.fill(np.array([1]), np.array([10 * SECOND]), values)
        values = np.full((1, len(after.names)), np.nan)
        counts.changed_to(after, after.names).fill(np.array([1]), np.array([20 * SECOND]), values)
        found = dict(zip(after.names, values[0].tolist(), strict=True))
        assert found["event_config_seconds_since"] == 15
        assert np.isnan(found["event_bgp_seconds_since"])

    def test_goes_into_service(self, begin, other: Path) -> None:
        pipeline = begin()
        pipeline.run([sample("d0", tick) for tick in range(3)])
        say(pipeline, at(11, TEXTS[1]), at(12, TEXTS[3]), at(13, TEXTS[0]))
        pipeline.runtime.swap(load_model(FixedModel("v2", other).champion()))
        say(pipeline, at(14, TEXTS[1]))
        answer = pipeline.run([sample("d0", 3)])[0]
        assert (answer.status, answer.model) == ("scored", "v2")
        texts = {text: name for name, text in pipeline.runtime.model.counted[0].texts().items()}
        found = counted(pipeline)
        assert found["log_message_count"] == 4
        assert {text: found.get(name) for text, name in texts.items()} == {
            "%LINK-3-UPDOWN: Interface <*>, changed state to up": 2,
            "fan tray <*> speed changed to <*>": 1,
        }
        assert pipeline.runtime.state.engine.samples(0) == 4, "the samples before are retained"

    @pytest.mark.parametrize("how", ["restart", "swap, snapshot, restart"])
    def test_restores_the_state_of_the_one_before(self, begin, other: Path, tmp_path: Path, log_model, how) -> None:
        file = tmp_path / "champion.json"
        ChampionFile(file).promote("v1", log_model)
        pipeline = begin(source=ChampionFile(file))
        pipeline.run([sample(f"d{device}", tick) for tick in range(3) for device in range(300)])
        say(pipeline, at(11, TEXTS[1]), at(12, TEXTS[0]))
        pipeline.runtime.save()
        ChampionFile(file).promote("v2", other)
        if how != "restart":
            pipeline.runtime.swap(load_model(ChampionFile(file).champion()))
            pipeline.run([sample("d1", 3)])
            pipeline.runtime.save()
        pipeline = begin(source=ChampionFile(file))
        pipeline.run([sample("d0", 3)])
        runtime = pipeline.runtime
        assert len(runtime.state.table) == 300
        assert runtime.state.engine.samples(runtime.state.table.code("d0")) == 4
        name = next(name for name, text in runtime.model.counted[0].texts().items() if "to up" in text)
        assert (counted(pipeline)["log_message_count"], counted(pipeline)[name]) == (2, 1)
        runtime.save()
        assert len(begin(source=ChampionFile(file)).runtime.state.table) == 300


def test_all_numbers_of_templates_survive_their_texts() -> None:
    columns = log_columns(TEXTS[0])
    for number in range(len(columns.templates)):
        assert columns.kinds_of([columns.text_of(number)]) == [number]
    assert columns.kinds_of([columns.text_of(-1)]) == [-1]
