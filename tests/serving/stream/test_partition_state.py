"""The state of a partition through crashes at every step, damage, deleted messages and takeovers."""

import dataclasses
import datetime
import errno
import json
import logging
import random
from pathlib import Path

import pytest

from netops.config.durations import HOUR, MINUTE
from netops.features.saved import unpack
from netops.features.spec import FeatureSpec
from netops.serving.engine.background import refresh
from netops.serving.engine.champion import ChampionFile
from netops.serving.engine.lease import FencedError
from netops.serving.engine.snapshot import Snapshots
from netops.serving.requests.endpoints.health import health
from netops.serving.settings import LimitSettings, ReceiverSettings, ServingSettings, TimeSettings
from netops.serving.stream.intake import Intake
from netops.serving.stream.messages import Message, parse_messages
from netops.serving.stream.output import Output
from netops.telemetry.kafka.address import StreamAddress
from tests.serving.hooks import Hook, free_port, until
from tests.serving.log_models import TEXTS, log_columns, make_log_model
from tests.serving.models import METRICS, make_model
from tests.serving.samples import START, fleet, sample
from tests.serving.stream.process import Process, log_of
from tests.serving.stream.states import contents, differing, reference

SAMPLES = fleet(8, 120, seed=5)


def final(model: Path, state: Path, log: list[bytes]) -> dict:
    """Read the rest of the log, and return what is in the state then."""
    with Process(model, state) as process:
        intake = process.open(log)
        process.feed(intake, log)
        return contents(intake.runtime)


def _before_the_snapshot(process: Process) -> None:
    pass


def _in_the_snapshot(process: Process) -> None:
    for intake in process.owner.intakes.values():
        writer = intake.runtime.snapshot()
        writer.__enter__()
        writer.write(next(writer.parts()))
        writer._file.close()  # as the kernel does; the draft stays


def _before_the_rename(process: Process) -> None:
    for intake in process.owner.intakes.values():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Snapshots, "put", _killed)
            with pytest.raises(KeyboardInterrupt):
                intake.runtime.save()


def _after_the_rename(process: Process) -> None:
    put = Snapshots.put

    def killed(*arguments: object) -> None:
        put(*arguments)
        raise KeyboardInterrupt

    for intake in process.owner.intakes.values():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Snapshots, "put", killed)
            with pytest.raises(KeyboardInterrupt):
                intake.runtime.save()


def _after_the_snapshot(process: Process) -> None:
    process.save()


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


STEPS = [_before_the_snapshot, _in_the_snapshot, _before_the_rename, _after_the_rename, _after_the_snapshot]


@pytest.fixture(scope="module")
def expected(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return reference(model, tmp_path_factory.mktemp("reference") / "state", SAMPLES, 8)


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_loses_and_repeats_nothing(model, tmp_path, expected, step) -> None:
    log, choose = log_of(SAMPLES), random.Random(step.__name__)
    for _ in range(6):
        with Process(model, tmp_path) as process:
            intake = process.open(log)
            process.feed(intake, log, choose.randrange(40, 120))
            process.save()
            process.feed(intake, log, choose.randrange(1, 60))
            step(process)
    found = final(model, tmp_path, log)
    assert differing(found, expected) == {}
    # Each sample counts once, also in the answers.
    assert {one["samples"] for one in found.values()} == {120}


def test_random_kills_and_stops(model, tmp_path, expected) -> None:
    log, choose, position = log_of(SAMPLES), random.Random(7), 0
    while position < len(log):
        with Process(model, tmp_path) as process:
            intake = process.open(log)
            position = process.feed(intake, log, choose.randrange(1, 90))
            choose.choice(STEPS)(process)
            if choose.random() < 0.3:
                process.stop()
    assert differing(final(model, tmp_path, log), expected) == {}


def test_the_offset_is_that_of_the_snapshot(model, tmp_path) -> None:
    log = log_of(SAMPLES)
    with Process(model, tmp_path) as process:
        intake = process.open(log)
        process.feed(intake, log, 100)
        process.save()
        assert intake.saved == 100
        process.feed(intake, log, 50)
        assert (intake.runtime.offset, intake.saved) == (150, 100)
    with Process(model, tmp_path) as process:
        assert process.open(log).next == 100
        assert process.owner.release(0) == 100


def test_nothing_is_counted_twice_after_a_kill(model, tmp_path) -> None:
    log = log_of(SAMPLES)
    with Process(model, tmp_path) as process:
        intake = process.open(log)
        process.feed(intake, log, 100)
        process.save()
        process.feed(intake, log, 50)
    with Process(model, tmp_path) as process:
        process.feed(process.open(log), log)
        text = process.root.metrics.export().decode()
    assert f'netops_samples_total{{network="demo",status="scored"}} {len(log) - 100}.0' in text
    assert 'netops_samples_total{network="demo",status="duplicate"} 0.0' in text


def test_a_snapshot_is_written_only_if_there_were_messages(model, tmp_path) -> None:
    log = log_of(SAMPLES)
    with Process(model, tmp_path) as process:
        intake = process.open(log)
        process.feed(intake, log, 10)
        process.save()
        sequence = intake.runtime.snapshots.sequence
        process.save()
        assert intake.runtime.snapshots.sequence == sequence


def test_a_damaged_snapshot_is_rebuilt_from_the_topic(model, tmp_path, expected, caplog) -> None:
    log = log_of(SAMPLES)
    with Process(model, tmp_path) as process:
        intake = process.open(log)
        process.feed(intake, log, 500)
        folder = intake.runtime.folder
        process.save()
    with (folder / "state.bin").open("r+b") as file:
        file.truncate(1000)
    with caplog.at_level(logging.WARNING):
        found = final(model, tmp_path, log)
    assert "cannot be read" in caplog.text
    assert differing(found, expected) == {}


@pytest.mark.parametrize(
    ("low", "length", "warning"),
    [(150, 400, "50 messages were deleted before they were read"), (0, 60, "it was created again")],
)
def test_messages_that_are_gone_are_reported(model, tmp_path, caplog, low, length, warning) -> None:
    log = log_of(SAMPLES)
    with Process(model, tmp_path) as process:
        process.feed(process.open(log), log, 100)
        process.stop()
    with Process(model, tmp_path) as process, caplog.at_level(logging.WARNING):
        assert process.open(log[:length], low=low).next == low
        counted = 'netops_stream_messages_total{network="demo",result="missing"} 50.0'
        assert (counted in process.root.metrics.export().decode()) == (low > 0)
    assert warning in caplog.text


def test_a_partition_without_a_state_starts_where_the_address_says(model, tmp_path) -> None:
    log = log_of(SAMPLES)
    address = StreamAddress("b", "t", start="latest")
    with Process(model, tmp_path, address=address) as process:
        assert process.open(log).next == len(log)
    with Process(model, tmp_path / "other") as process:
        assert process.open(log, low=3).next == 3


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 10.0
        return self.now


def test_a_process_that_was_stopped_writes_nothing_after_the_takeover(model, tmp_path, expected) -> None:
    log = log_of(SAMPLES)
    with Process(model, tmp_path) as stopped, Process(model, tmp_path, "1") as other:
        own = stopped.open(log)
        stopped.feed(own, log, 300)
        stopped.save()
        stopped.feed(own, log, 30)
        taken = other.open(log, patience=20, clock=Clock(), attempts=4)
        assert taken.next == 300
        other.feed(taken, log, 200)
        with pytest.raises(FencedError):
            stopped.feed(own, log, 100)
        stopped.save()  # only logged: the snapshot fails
        assert stopped.owner.release(0) is None
        assert not own.runtime.folder.exists()
        other.feed(taken, log)
        assert differing(contents(taken.runtime), expected) == {}


def test_alerts_of_a_fenced_process_do_not_reach_the_store(model, tmp_path) -> None:
    log = log_of([sample("a", tick, hot=tick >= 10) for tick in range(20)])
    with Process(model, tmp_path) as stopped, Process(model, tmp_path, "1") as other:
        own = stopped.open(log)
        stopped.feed(own, log, 5)
        stopped.save()
        taken = other.open(log, patience=20, clock=Clock(), attempts=4)
        with pytest.raises(FencedError):
            stopped.feed(own, log)
        assert taken.runtime.store.recent() == []
        other.feed(taken, log)
        assert len(taken.runtime.store.recent()) == 1


def test_a_fenced_process_answers_with_its_health(model, tmp_path) -> None:
    log = log_of([sample("a", tick, hot=tick >= 10) for tick in range(20)])
    with Process(model, tmp_path) as stopped, Process(model, tmp_path, "1") as other:
        own = stopped.open(log)
        stopped.feed(own, log)
        other.open(log, patience=20, clock=Clock(), attempts=4)
        active = own.runtime.active_alerts
        for alert in active.open.values():  # changed, and not stored yet
            active._change(alert)
        with pytest.raises(FencedError):
            active.flush(own.runtime.state)
        assert health(own.runtime).alerts == 1


def test_a_fenced_process_sends_no_more_notifications(model, tmp_path) -> None:
    log = log_of([sample("a", tick, hot=tick >= 10) for tick in range(20)])
    with Hook() as hook:
        settings = ServingSettings(receivers=(ReceiverSettings("webhook", hook.url),))
        with Process(model, tmp_path, settings=settings) as stopped:
            own = stopped.open(log)
            (courier,) = own.runtime.deliveries._threads
            with Process(model, tmp_path, "1", settings=settings) as other:
                other.feed(other.open(log, patience=20, clock=Clock(), attempts=4), log)
                until(lambda: hook.taken)
                courier.join(10)
                assert not courier.is_alive()
        assert [body["event"] for body in hook.taken] == ["opened"]


def test_a_partition_that_waited_has_no_stale_devices(model, tmp_path) -> None:
    """The clock is that of the samples: neither the time without an owner nor the lag make a device stale."""
    settings = ServingSettings(time=TimeSettings(silent_after=30 * 10**9))
    samples = [sample(f"d{device}", tick) for tick in range(200) for device in range(4)]
    log = log_of(samples)
    with Process(model, tmp_path, settings=settings) as process:
        process.feed(process.open(log), log, 80)
        process.stop()
    with Process(model, tmp_path, settings=settings) as process:
        intake = process.open(log)
        intake.runtime.housekeeping()
        assert not intake.runtime.state.clock.silent.any()
        process.feed(intake, log)
        assert intake.runtime.store.recent() == []


def test_an_alert_goes_on_in_the_next_process(model, tmp_path) -> None:
    log = log_of([sample("a", tick, hot=10 <= tick < 30) for tick in range(400)])
    with Process(model, tmp_path) as process:
        intake = process.open(log)
        process.feed(intake, log, 20)
        (before,) = intake.runtime.active_alerts.current()
        process.stop()
    with Process(model, tmp_path) as process:
        intake = process.open(log)
        (restored,) = intake.runtime.active_alerts.current()
        assert restored.id == before.id
        process.feed(intake, log)
        (alert,) = intake.runtime.store.recent()
    assert (alert.id, alert.end_reason) == (before.id, "expired")
    assert not alert.renewed


def test_dead_letters_name_the_message(model, tmp_path) -> None:
    settings = ServingSettings(limits=LimitSettings(body_bytes=1024))
    good = json.dumps(sample("a", 100)).encode()
    log = [
        good,
        b"{",
        json.dumps(sample("a", 1)).encode(),
        b"x" * 2000,
        json.dumps([sample("a", 2)]).encode(),
        good,
    ]
    with Process(model, tmp_path, settings=settings) as process:
        intake = process.open(log, number=3)
        process.feed(intake, log)
        letters = [json.loads(line) for line in intake.runtime.letters.path().read_text().splitlines()]
        text = process.root.metrics.export().decode()
    found = [(one["why"], one["topic"], one["partition"], one["offset"]) for one in letters]
    assert found == [("rejected", "t", 3, 1), ("late", "t", 3, 2), ("rejected", "t", 3, 3), ("late", "t", 3, 4)]
    assert 'result="read"} 6.0' in text
    assert 'result="unreadable"} 1.0' in text


@pytest.mark.parametrize("has_output", [False, True])
def test_a_topic_that_is_read_from_its_end_is_continued_before_the_first_snapshot(
    model, tmp_path, has_output
) -> None:
    """Killed at once; or opened again while no snapshot may be written, because the output accepts nothing."""
    log, address = log_of(fleet(2, 15)), StreamAddress("b", "t", start="latest")
    output = Output(StreamAddress(f"127.0.0.1:{free_port()}", "out")) if has_output else None
    try:
        with Process(model, tmp_path, address=address, output=output) as process:
            intake = process.open(log[:10])
            process.feed(intake, log[:20])
            if has_output:
                process.save()
                process.owner.release(0, is_saved=False)
                assert process.open(log).next == 10
    finally:
        if output is not None:
            output.stop()
    with Process(model, tmp_path, address=address) as process:
        intake = process.open(log)
        assert (intake.next, len(intake.runtime.state.table)) == (10, 0)
        process.feed(intake, log)
        engine = intake.runtime.state.engine
        assert [len(unpack(engine.spec, 0, engine.save(code))[1]) for code in (0, 1)] == [10, 10]


def test_a_new_partition_is_not_opened_if_its_start_cannot_be_stored(model, tmp_path, monkeypatch) -> None:
    log = log_of(fleet(2, 15))
    with Process(model, tmp_path, address=StreamAddress("b", "t", start="latest")) as process:
        with monkeypatch.context() as patch:
            patch.setattr(Snapshots, "put", _full)
            with pytest.raises(OSError, match="No space left"):
                process.open(log[:10])
        assert process.owner.intakes == {}
        assert process.open(log).next == 30


def test_a_failure_of_the_pipeline_is_a_dead_letter_and_the_partition_goes_on(model, tmp_path, monkeypatch) -> None:
    log = log_of([sample("a", tick) for tick in range(6)])
    with Process(model, tmp_path) as process:
        intake = process.open(log)
        process.feed(intake, log, 2)
        score = type(intake.pipeline).score
        monkeypatch.setattr(type(intake.pipeline), "score", lambda *_, **__: 1 / 0)
        process.feed(intake, log, 1)
        monkeypatch.setattr(type(intake.pipeline), "score", score)
        process.feed(intake, log)
        assert intake.runtime.offset == 6
        (found,) = intake.runtime.letters.path().read_text().splitlines()
    assert json.loads(found) == {
        "why": "failed",
        "error": "the server failed: ZeroDivisionError",
        "sent": {"device": "a", "timestamp": sample("a", 2)["timestamp"]},
        "topic": "t",
        "partition": 0,
        "offset": 2,
    }


def test_late_samples_beyond_the_limit_of_a_message_are_rejected(model, tmp_path) -> None:
    settings = ServingSettings(limits=LimitSettings(late=250), time=TimeSettings(allowed_lateness=10**13))
    log = [
        json.dumps([sample("a", 5000)]).encode(),
        json.dumps([sample("a", tick) for tick in range(260)]).encode(),
    ]
    with Process(model, tmp_path, settings=settings) as process:
        intake = process.open(log)
        process.feed(intake, log)
        letters = [json.loads(line) for line in intake.runtime.letters.path().read_text().splitlines()]
    assert {one["offset"] for one in letters} == {1}
    rejected = [one for one in letters if one["why"] == "rejected"]
    assert len(rejected) == 10
    assert "more than 250 late samples" in rejected[0]["error"]


def test_partitions_share_the_champion_and_follow_it(model, tmp_path) -> None:
    newer = make_model(tmp_path / "v2", "v2", seed=3)
    file = tmp_path / "champion.json"
    ChampionFile(file).promote("v1", model)
    log = log_of(SAMPLES)
    with Process(model, tmp_path, source=ChampionFile(file)) as process:
        one, other = process.open(log, number=0), process.open(log, number=1)
        assert one.runtime.model is other.runtime.model is process.root.model
        process.feed(one, log, 10)
        ChampionFile(file).promote("v2", newer)
        process.owner.call(refresh(process.root))
        process.feed(one, log, 10)
        assert one.runtime.model is process.root.model
        assert one.runtime.model.version == "v2"


VALUES = dict(zip(METRICS, (1.0, 20.0, 300.0, 4000.0), strict=True))


def _change_champion_between(process: Process, source: ChampionFile, log: list[bytes], newer: Path) -> Intake:
    """Process a message, then parse two batches before the first of them follows another champion."""
    intake = process.open(log)
    process.feed(intake, log, 1)
    source.promote("v2", newer)
    process.owner.call(refresh(process.root))
    messages = [Message(offset, value) for offset, value in enumerate(log)]
    parsed = [(part, list(parse_messages(intake.pipeline, part))) for part in (messages[1:2], messages[2:])]
    for part, batches in parsed:
        process.owner.call(intake.process(part, batches))
    assert intake.runtime.model.version == "v2"
    return intake


@pytest.mark.parametrize("counts_logs", [False, True])
def test_samples_parsed_for_the_champion_before_have_their_values(model, tmp_path, counts_logs) -> None:
    """The next messages are parsed while those before them are processed, and these follow another champion."""
    columns = log_columns(TEXTS[0])
    if counts_logs:
        spec = FeatureSpec((*METRICS, *columns.names), (MINUTE, HOUR))
        newer = make_model(tmp_path / "v2", "v2", spec=spec, logs=columns.to_dict())
    else:
        newer = make_model(tmp_path / "v2", "v2", spec=FeatureSpec(METRICS[::-1], (MINUTE, HOUR)))
    source = ChampionFile(tmp_path / "champion.json")
    source.promote("v1", model)
    log = log_of([sample("a", tick, **VALUES) for tick in range(30)])
    with Process(model, tmp_path, source=source) as process:
        intake = _change_champion_between(process, source, log, newer)
        state, names = intake.runtime.state, intake.runtime.model.spec.metrics
        _, values = unpack(state.engine.spec, 0, state.engine.save(0))
        assert len(values) == 30
        for name, value in VALUES.items():
            assert values[:, names.index(name)].tolist() == [value] * 30
        assert not intake.runtime.letters.path().read_bytes()


def test_late_samples_parsed_for_the_champion_before_have_their_values(model, tmp_path) -> None:
    newer = make_model(tmp_path / "v2", "v2", spec=FeatureSpec(METRICS[::-1], (MINUTE, HOUR)))
    source = ChampionFile(tmp_path / "champion.json")
    source.promote("v1", model)
    late = json.dumps([sample("a", tick, **VALUES) for tick in range(260)]).encode()
    log = [*log_of([sample("a", 5000), sample("a", 5001)]), late]
    settings = ServingSettings(limits=LimitSettings(late=250), time=TimeSettings(allowed_lateness=10**13))
    with Process(model, tmp_path, settings=settings, source=source) as process:
        intake = _change_champion_between(process, source, log, newer)
        letters = [json.loads(line) for line in intake.runtime.letters.path().read_text().splitlines()]
    rejected = [one["sent"] for one in letters if one["why"] == "rejected"]
    assert len(rejected) == 10
    assert all({name: one[name] for name in METRICS} == VALUES for one in rejected)


def test_many_messages_get_the_reasons_that_each_would_get(model, tmp_path) -> None:
    """The limit of exact reasons is one of a request, and each message is one."""
    settings = ServingSettings(exact_reasons=1)
    log = log_of([sample(f"d{device}", tick, hot=tick > 10) for tick in range(14) for device in range(20)])
    reasons = []
    for size in (1, len(log)):
        with Process(model, tmp_path / str(size), settings=settings) as process:
            intake = process.open(log)
            while intake.next < len(log):
                process.feed(intake, log, size)
            reasons.append({alert.id: alert.reasons for alert in intake.runtime.store.recent()})
    assert len(reasons[0]) == 20
    assert reasons[0] == reasons[1]
    assert all(one.text for found in reasons[0].values() for one in found)


def test_log_messages_of_the_topic_count_once(tmp_path) -> None:
    """Lines of syslog are counted by the next sample of their device, whatever is killed in between."""
    model = make_log_model(tmp_path / "v1", log_columns(TEXTS[0]))
    at = datetime.datetime.fromtimestamp(START + 12, datetime.UTC).isoformat()
    lines = f"<187>1 {at} a ifmgr - - - {TEXTS[0]}\n<187>1 {at} - ifmgr - - - {TEXTS[0]} again\nunreadable"
    samples = log_of([sample("a", 0), sample("a", 1), sample("a", 2), sample("a", 3), sample("a", 4)])
    log = [*samples[:3], Message(3, lines.encode(), "text/plain", "a"), *samples[3:]]
    for kill_after in (3, 4):
        state = tmp_path / str(kill_after)
        with Process(model, state) as process:
            intake = process.open(log)
            process.feed(intake, log, kill_after)
            process.save()
            process.feed(intake, log)
        with Process(model, state) as process:
            intake = process.open(log)
            process.feed(intake, log)
            runtime = intake.runtime
            column = runtime.model.spec.metrics.index("log_message_count")
            _, values = unpack(runtime.state.engine.spec, 0, runtime.state.engine.save(0))
            assert values[:, column].tolist() == [0, 0, 0, 2, 0]
            letters = [json.loads(line) for line in runtime.letters.path().read_text().splitlines()]
        assert {one["offset"] for one in letters} == {3}
        assert "1 lines cannot be read" in letters[0]["error"]


def test_log_messages_are_dead_letters_if_the_champion_does_not_count_them(model, tmp_path) -> None:
    log = [*log_of([sample("a", 0)]), Message(1, b"<187>1 - a - - - - text", "text/plain", "a")]
    with Process(model, tmp_path) as process:
        intake = process.open(log)
        process.feed(intake, log)
        assert intake.runtime.offset == 2
        (found,) = intake.runtime.letters.path().read_text().splitlines()
    assert "trained without logs" in json.loads(found)["error"]


def test_devices_with_log_messages_alone_are_scored_by_the_time_of_the_messages(tmp_path) -> None:
    columns = dataclasses.replace(log_columns(TEXTS[0]), interval=MINUTE, reach=10 * MINUTE)
    spec = FeatureSpec(columns.names, (10 * MINUTE,), ("mean", "max"))
    model = make_model(tmp_path / "v1", spec=spec, trees=60, depth=6, logs=columns.to_dict())
    log, choose = [], random.Random(2)
    for second in range(0, 1800, 20):
        at = datetime.datetime.fromtimestamp(START + second, datetime.UTC).isoformat()
        line = f"<187>1 {at} d{choose.randrange(3)} ifmgr - - - {choose.choice(TEXTS)}"
        log.append(Message(len(log), line.encode(), "text/plain"))
    states = []
    for kills in (0, 5):
        state = tmp_path / f"state-{kills}"
        for _ in range(kills):
            with Process(model, state) as process:
                intake = process.open(log)
                process.feed(intake, log, choose.randrange(5, 20))
                process.save()
                process.feed(intake, log, choose.randrange(1, 10))
        states.append(final(model, state, log))
    assert {one["samples"] for one in states[0].values()} <= {28, 29, 30}
    assert len(states[0]) == 3
    assert differing(states[1], states[0]) == {}
