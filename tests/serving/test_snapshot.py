"""State on disk: what is restored, what is sent again, what is damaged."""

import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import msgspec
import pytest

from netops.alerting.machine import STATE
from netops.config.durations import HOUR, MINUTE, SECOND
from netops.serving.decode.times import iso
from netops.serving.engine.champion import FixedModel
from netops.serving.engine.clock import NEVER
from netops.serving.engine.snapshot import FILE, FRAME, MAGIC, DeviceRecord, Snapshots, Tail, replay_point
from tests.serving.samples import START, body, fleet, sample


def play(pipeline, samples, size=37):
    answers = []
    for at in range(0, len(samples), size):
        answers += pipeline.run(body(*samples[at : at + size]))
    return answers


def known(pipeline):
    """Everything that must be the same after a crash: windows, alerts, open and ended."""
    runtime = pipeline.runtime
    table, engine = runtime.state.table, runtime.state.engine
    windows = {table.names[code]: engine.save(code) for code in table.codes()}
    stored = runtime.store.recent(limit=10_000)
    alerts = sorted((a.id, a.opened, a.ended, a.ended and a.peak, a.ended and a.peak_at) for a in stored)
    current = sorted((a.id, a.peak, a.peak_at) for a in runtime.active_alerts.current())
    return windows, alerts, current


def test_a_restart_after_a_saved_state_changes_nothing(start):
    samples = fleet(8, 120, company="c", data_center="x")
    whole = start()
    play(whole, samples)
    expected = known(whole)
    first = start(folder=whole.runtime.folder.parent / "other")
    play(first, samples[:500])
    first.runtime.save()
    second = start(folder=first.runtime.folder)
    assert second.runtime.replay_point is not None
    play(second, samples[500:])
    assert known(second) == expected


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_between_snapshots_is_made_good_by_sending_again(start, seed):
    choose = random.Random(seed)
    samples = fleet(8, 120, company="c", data_center="x")
    # Some samples come out of order, within what is allowed.
    for row in choose.sample(range(0, len(samples) - 48, 48), 10):
        samples[row], samples[row + 24] = samples[row + 24], samples[row]
    whole = start()
    play(whole, samples)
    expected = known(whole)
    saved, killed = sorted(choose.sample(range(100, len(samples)), 2))
    first = start(folder=whole.runtime.folder.parent / "other")
    play(first, samples[:saved])
    first.runtime.save()
    play(first, samples[saved:killed])
    second = start(folder=first.runtime.folder)
    point = second.runtime.replay_point
    again = [row for row in samples if row["timestamp"] * SECOND > point]
    answers = play(second, again)
    assert {answer.status for answer in answers} <= {"scored", "duplicate"}
    assert known(second) == expected


def test_a_snapshot_may_be_taken_while_samples_come_in(start):
    samples = fleet(450, 8)
    whole = start()
    play(whole, samples, 450)
    expected = known(whole)
    first = start(folder=whole.runtime.folder.parent / "other")
    play(first, samples[:1800], 450)
    with first.runtime.snapshot() as writer:
        for number, part in enumerate(writer.parts()):
            writer.write(part)
            play(first, samples[1800 + number * 150 :][:150])
        writer.finish()
    second = start(folder=first.runtime.folder)
    play(second, [row for row in samples if row["timestamp"] * SECOND > second.runtime.replay_point], 450)
    assert known(second) == expected


def test_the_replay_point_is_reported(start):
    pipeline = start()
    play(pipeline, fleet(3, 20))
    assert pipeline.runtime.replay_point is None
    pipeline.runtime.save()
    newest = pipeline.runtime.state.clock.now
    assert iso(pipeline.runtime.replay_point) == iso(newest - 30 * SECOND)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_a_damaged_state_is_set_aside(start, damage):
    pipeline = start()
    play(pipeline, fleet(3, 20))
    pipeline.runtime.save()
    path = pipeline.runtime.folder / FILE
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        raw = raw[:-10]
    elif damage == "flipped":
        raw[len(raw) // 2] ^= 0xFF
    path.write_bytes({"empty": b"", "other": b"PK" * 100}.get(damage, bytes(raw)))
    again = start()
    assert len(again.runtime.state.table) == 0
    assert again.runtime.replay_point is None
    assert path.with_suffix(".damaged").exists()
    assert again.run(body(sample("a", 0)))[0].status == "scored"


def test_a_snapshot_that_fails_leaves_the_last_one(start):
    pipeline = start()
    play(pipeline, fleet(3, 20))
    pipeline.runtime.save()
    before = (pipeline.runtime.folder / FILE).read_bytes()
    with pytest.raises(OSError, match="full"), pipeline.runtime.snapshot() as writer:
        writer.write(next(writer.parts()))
        raise OSError("full")
    assert (pipeline.runtime.folder / FILE).read_bytes() == before
    assert [p.name for p in pipeline.runtime.folder.glob(".*.tmp")] == []


def test_other_windows_take_the_samples_along(start, tmp_path):
    from netops.serving.engine.champion import Champion, load_model
    from tests.serving.models import SPEC, make_model

    pipeline = start()
    samples = fleet(3, 60)
    play(pipeline, samples)
    spec = replace(SPEC, windows=(2 * MINUTE,))
    pipeline.runtime.swap(load_model(Champion("v2", make_model(tmp_path / "v2", "v2", spec))))
    answers = play(pipeline, [sample("d0", 60)])
    assert (answers[0].model, answers[0].status) == ("v2", "scored")
    whole = start(source=FixedModel("v2", tmp_path / "v2"), folder=tmp_path / "whole")
    (expected,) = play(whole, [*samples, sample("d0", 60)])[-1:]
    assert answers[0].risk == pytest.approx(expected.risk, abs=1e-9)


@pytest.mark.parametrize("windows", [(2 * MINUTE,), (2 * MINUTE, 2 * HOUR)])
def test_a_state_is_restored_by_a_model_with_other_windows(start, tmp_path, windows):
    from tests.serving.models import SPEC, make_model

    pipeline = start()
    samples = fleet(3, 60)
    play(pipeline, samples)
    pipeline.runtime.save()
    source = FixedModel("v2", make_model(tmp_path / "v2", "v2", replace(SPEC, windows=windows)))
    (answer,) = start(source=source, folder=pipeline.runtime.folder).run(body(sample("d0", 60)))
    whole = start(source=source, folder=tmp_path / "whole")
    (expected,) = play(whole, [*samples, sample("d0", 60)])[-1:]
    assert answer.risk == pytest.approx(expected.risk, abs=1e-9)


def test_a_snapshot_of_before_alerts_could_be_unsaved_is_read():
    old = msgspec.msgpack.encode({"type": "x", "devices": 3, "shadow": b"y"})
    decoder = msgspec.msgpack.Decoder(Tail | list[DeviceRecord])
    assert decoder.decode(old) == Tail(3, b"y", [])


def crash(start, pipeline, samples):
    """Start again as after a kill, and send again what the replay point asks for."""
    second = start(folder=pipeline.runtime.folder)
    point = second.runtime.replay_point
    answers = play(second, [row for row in samples if row["timestamp"] * SECOND > point])
    return second, answers


@pytest.mark.parametrize("while_writing", [False, True])
@pytest.mark.parametrize("order", ["forward", "backward"])
def test_a_backlog_sent_after_a_snapshot_survives_a_crash(start, order, while_writing):
    """S2: replay from the snapshot's point lost 74 of 80 samples."""
    connected, cut_off = fleet(4, 200), [sample("away", tick, hot=tick > 170) for tick in range(200)]
    sent = sorted([*connected, *cut_off[:100]], key=lambda row: row["timestamp"])
    backlog = cut_off[100:180] if order == "forward" else [*cut_off[100:180][::-1][:6], *cut_off[100:180]]
    whole = start()
    play(whole, [*sent, *backlog])
    expected = known(whole)
    first = start(folder=whole.runtime.folder.parent / "other")
    play(first, sent)
    if while_writing:
        with first.runtime.snapshot() as writer:
            for part in writer.parts():
                writer.write(part)
            play(first, backlog, 10)
            writer.finish()
    else:
        first.runtime.save()
        play(first, backlog, 10)
    assert first.runtime.replay_point < 180 * 5 * SECOND + cut_off[0]["timestamp"] * SECOND
    second, _ = crash(start, first, [*sent, *backlog])
    assert known(second) == expected
    # The next snapshot holds the backlog, and the point moves forward again.
    second.runtime.save()
    third = start(folder=second.runtime.folder)
    assert third.runtime.replay_point == second.runtime.replay_point
    assert known(third) == expected


def test_the_replay_point_is_on_disk_before_a_sample_of_a_backlog_is_answered(start):
    pipeline = start()
    play(pipeline, [*fleet(3, 100), sample("away", 0)])
    play(pipeline, fleet(3, 100, first=100))
    pipeline.runtime.save()
    before = pipeline.runtime.replay_point
    play(pipeline, [sample("away", 2)])
    assert start(folder=pipeline.runtime.folder).runtime.replay_point == (START + 10) * SECOND - 1 < before


@pytest.fixture
def few_full(monkeypatch):
    """Have snapshots of few devices hold what has changed, as those of many do."""
    from netops.serving.engine import snapshot

    monkeypatch.setattr(snapshot, "_WHOLE", 1)
    monkeypatch.setattr(snapshot, "_TURNS", 6)


@pytest.mark.parametrize("seed", range(3))
def test_snapshots_of_what_has_changed_hold_everything(start, few_full, seed):
    choose = random.Random(seed)
    samples = fleet(18, 90, company="c", data_center="x")
    for row in choose.sample(range(0, len(samples) - 108, 108), 8):
        samples[row], samples[row + 54] = samples[row + 54], samples[row]
    whole = start()
    play(whole, samples)
    expected = known(whole)
    first = start(folder=whole.runtime.folder.parent / "other")
    at = 0
    for _ in range(12):
        step = choose.randrange(20, 160)
        play(first, samples[at : at + step])
        at += step
        first.runtime.save()
        if choose.random() < 0.2:  # a restart from whatever is there
            first = start(folder=first.runtime.folder)
    play(first, samples[at : at + 30])
    second, answers = crash(start, first, samples)
    assert {answer.status for answer in answers} <= {"scored", "duplicate", "late"}
    assert known(second) == expected


def test_snapshots_of_what_has_changed_are_small_and_do_not_pile_up(start, few_full):
    pipeline = start()
    samples = fleet(40, 120)
    play(pipeline, samples[: 40 * 108], 1000)
    pipeline.runtime.save()
    folder = pipeline.runtime.folder
    first = (folder / FILE).stat().st_size
    for tick in range(108, 120):
        play(pipeline, samples[40 * tick : 40 * (tick + 1)])
        pipeline.runtime.save()
        assert (folder / FILE).stat().st_size < first / 3
    assert len(list(folder.glob("state*.bin"))) <= 8
    again = start(folder=folder)
    assert len(again.runtime.state.table) == 40


def test_dropped_devices_do_not_come_back(start, few_full):
    from netops.serving.settings import LimitSettings, ServingSettings

    settings = ServingSettings(limits=LimitSettings(devices=10))
    pipeline = start(settings)
    for tick in range(6):
        play(pipeline, [sample(f"d{number}", tick) for number in range(3 * tick, 3 * tick + 8)])
        pipeline.runtime.save()
        expected = sorted(pipeline.runtime.state.table._codes)
        pipeline = start(settings, folder=pipeline.runtime.folder)
        assert sorted(pipeline.runtime.state.table._codes) == expected


def test_a_snapshot_that_fails_leaves_all_that_changed_to_the_next(start, few_full):
    pipeline = start()
    samples = fleet(10, 60)
    play(pipeline, samples[:400])
    pipeline.runtime.save()
    play(pipeline, samples[400:500])
    with pytest.raises(OSError, match="full"), pipeline.runtime.snapshot() as writer:
        for part in writer.parts():
            writer.write(part)
        raise OSError("full")
    play(pipeline, samples[500:])
    pipeline.runtime.save()
    expected = known(pipeline)
    assert known(start(folder=pipeline.runtime.folder)) == expected


def test_a_missing_earlier_snapshot_is_noticed(start, few_full):
    pipeline = start()
    for tick in range(4):
        play(pipeline, fleet(10, 1, first=tick))
        pipeline.runtime.save()
    folder = pipeline.runtime.folder
    next(folder.glob("state.*.bin")).unlink()
    assert len(start(folder=folder).runtime.state.table) == 0
    assert (folder / "state.damaged").exists()


def test_a_kill_between_two_renames_leaves_the_snapshot_before(start, few_full):
    pipeline = start()
    for tick in range(3):
        play(pipeline, fleet(10, 1, first=tick))
        pipeline.runtime.save()
    expected, folder = known(pipeline), pipeline.runtime.folder
    (folder / FILE).rename(folder / "state.2.bin")
    again = start(folder=folder)
    assert known(again) == expected
    again.runtime.save()
    assert (folder / FILE).exists()


def test_drafts_of_killed_servers_are_removed(start):
    """S5: they stayed."""
    pipeline = start()
    draft = pipeline.runtime.folder / f".{FILE}.4711.tmp"
    draft.write_bytes(b"x")
    start(folder=pipeline.runtime.folder)
    assert not draft.exists()


def test_two_snapshots_at_once_do_not_write_to_one_draft(start):
    """S5: the last one raced with the one under way."""
    pipeline = start()
    play(pipeline, fleet(3, 20))
    with pipeline.runtime.snapshot() as under_way:
        under_way.write(next(under_way.parts()))
        pipeline.runtime.save()
    assert len(start(folder=pipeline.runtime.folder).runtime.state.table) == 3


def test_a_state_of_the_version_before_is_read(start):
    from netops.serving.engine import snapshot

    pipeline = start()
    play(pipeline, fleet(3, 20))
    pipeline.runtime.save()
    expected = known(pipeline)
    path = pipeline.runtime.folder / FILE
    path.write_bytes(path.read_bytes().replace(snapshot.MAGIC, b"netops state 1\n"))
    assert known(start(folder=pipeline.runtime.folder)) == expected


def rewrite(path, change: Callable[[dict], None]) -> None:
    """Change the head, the records and the tail of a snapshot."""
    raw, at, out = path.read_bytes(), len(MAGIC), MAGIC
    while at < len(raw):
        size, _ = FRAME.unpack_from(raw, at)
        at += FRAME.size
        frame = msgspec.msgpack.decode(raw[at : at + size])
        for part in frame if isinstance(frame, list) else [frame]:
            change(part)
        content = msgspec.msgpack.encode(frame)
        out += FRAME.pack(len(content), zlib.crc32(content)) + content
        at += size
    path.write_bytes(out)


def test_a_snapshot_of_an_earlier_version_is_read_as_full(start, few_full):
    def make_old(part: dict) -> None:
        for key in ("sequence", "gone", "alerts" if "shadow" in part else "", "needs", "since", "heard", "jump"):
            part.pop(key, None)

    pipeline = start()
    play(pipeline, fleet(3, 20))
    pipeline.runtime.save()
    expected, folder = known(pipeline), pipeline.runtime.folder
    rewrite(folder / FILE, make_old)
    again = start(folder=folder)
    assert known(again) == expected
    play(again, [sample("d0", 20)])
    again.runtime.save()
    assert list(again.runtime.snapshots.earlier()) == [0]
    expected = known(again)
    assert known(start(folder=folder)) == expected


# What a snapshot holds


def cold(devices: int, ticks: int, first: int = 0) -> list[dict]:
    return [sample(f"d{number}", tick) for tick in range(first, first + ticks) for number in range(devices)]


def records(pipeline, sizes: bool = False) -> list:
    """Write a snapshot; the records in it, or how many are in each part."""
    parts = []
    with pipeline.runtime.snapshot() as writer:
        for part in writer.parts():
            writer.write(part)
            parts.append(part)
        writer.finish()
    found = [msgspec.msgpack.decode(part[FRAME.size :], type=list[DeviceRecord]) for part in parts[1:-1]]
    return [len(part) for part in found] if sizes else [record for part in found for record in part]


def names_of(found: list[DeviceRecord]) -> list[str]:
    return sorted(record.name for record in found)


def wholes(found: list[DeviceRecord]) -> list[str]:
    return names_of([record for record in found if record.since is None])


def test_a_part_takes_some_milliseconds_and_holds_no_more_than_200_devices(start, monkeypatch):
    pipeline, clock = start(), count()
    play(pipeline, cold(450, 1), 450)
    monkeypatch.setattr("netops.serving.engine.snapshot.perf_counter", lambda: 0.0)
    assert records(pipeline, sizes=True) == [200, 200, 50]
    play(pipeline, cold(450, 1, 1), 450)
    monkeypatch.setattr(
        "netops.serving.engine.snapshot.perf_counter", lambda: next(clock) / 1024
    )  # a device takes 1 ms
    sizes = records(pipeline, sizes=True)
    assert (sum(sizes), set(sizes[:-1])) == (450, {5})


def test_a_snapshot_has_256_full_devices_without_changes(start):
    pipeline = start()
    play(pipeline, cold(300, 1), 300)
    assert len(wholes(records(pipeline))) == 300
    second, third = (records(pipeline) for _ in range(2))
    assert (len(second), len(wholes(second))) == (256, 256)
    assert set(names_of(second)) | set(names_of(third)) == {f"d{number}" for number in range(300)}


@pytest.mark.parametrize(("devices", "whole"), [(16, 1), (17, 2), (32, 2), (33, 3)])
def test_each_device_is_full_in_one_of_16_snapshots(start, monkeypatch, devices, whole):
    monkeypatch.setattr("netops.serving.engine.snapshot._WHOLE", 1)
    pipeline = start()
    play(pipeline, cold(devices, 1))
    records(pipeline)
    found = [wholes(records(pipeline)) for _ in range(16)]
    assert {len(some) for some in found} == {whole}
    assert len({name for some in found for name in some}) == devices
    assert len(pipeline.runtime.snapshots.earlier()) < 16


def test_a_snapshot_holds_what_has_changed_and_what_is_open(start, few_full):
    pipeline = start()
    play(pipeline, [sample(name, tick) for tick in range(10) for name in ("d0", "d1", "d2", "d3", "away", "hot")])
    play(pipeline, [sample(f"d{number}", tick) for tick in range(10, 100) for number in range(4)])
    play(pipeline, [sample("hot", tick, hot=True) for tick in range(97, 100)])
    assert set(pipeline.runtime.active_alerts.open) == {("silent", "away"), ("risk", "hot")}
    assert len(records(pipeline)) == 6
    play(pipeline, [sample("d2", 100)])
    found = {record.name: record for record in records(pipeline)}
    assert set(found) == {"d0", "d2", "away", "hot"}
    assert [found["d0"].since, found["d2"].since] == [None, sample("d2", 100)["timestamp"] * SECOND - 1]
    assert [[alert.kind for alert in found[name].alerts] for name in ("d0", "d2", "away", "hot")] == [
        [],
        [],
        ["silent"],
        ["risk"],
    ]


def test_only_changes_are_written_after_a_full_snapshot(start, few_full):
    pipeline = start()
    play(pipeline, cold(12, 30))
    records(pipeline)
    play(pipeline, [sample(f"d{number}", 30) for number in range(12)])
    found = records(pipeline)
    assert (len(found), len(wholes(found))) == (12, 2)
    assert {record.since for record in found} == {None, sample("d0", 30)["timestamp"] * SECOND - 1}
    assert {len(record.tracker) for record in found} == {STATE.itemsize}


def test_nothing_changed_leaves_a_snapshot_of_those_whose_turn_it_is(start, few_full):
    """What was written counts as changed again only where the snapshot fails."""
    pipeline = start()
    play(pipeline, cold(12, 3))
    records(pipeline)
    assert len(records(pipeline)) == 2
    with pytest.raises(OSError, match="full"), pipeline.runtime.snapshot() as writer:
        list(writer.parts())
        raise OSError("full")
    assert len(records(pipeline)) == 2
    play(pipeline, [sample("d5", 3)])
    with pytest.raises(OSError, match="full"), pipeline.runtime.snapshot() as writer:
        list(writer.parts())
        raise OSError("full")
    assert "d5" in names_of(records(pipeline))


def test_a_device_that_comes_while_a_snapshot_is_written_is_in_the_next(start, few_full, monkeypatch):
    monkeypatch.setattr("netops.serving.engine.snapshot._PART", 3)
    pipeline = start()
    samples = fleet(12, 30)
    play(pipeline, samples)
    pipeline.runtime.save()
    late = [sample("new", tick) for tick in range(25, 31)]
    with pipeline.runtime.snapshot() as writer:
        parts = writer.parts()
        for _ in range(2):
            writer.write(next(parts))
        play(pipeline, late[:3])
        for part in parts:
            writer.write(part)
        writer.finish()
    expected = known(pipeline)
    second, _ = crash(start, pipeline, [*samples, *late[:3]])
    assert known(second) == expected
    play(second, late[3:])
    found = records(second)
    assert "new" in wholes(found)
    expected = known(second)
    assert known(start(folder=second.runtime.folder)) == expected


def test_a_device_dropped_while_a_snapshot_fails_is_not_written_for_another(start, few_full):
    pipeline = start()
    state = pipeline.runtime.state
    play(pipeline, fleet(12, 10))
    pipeline.runtime.save()
    with pytest.raises(OSError, match="full"), pipeline.runtime.snapshot() as writer:
        list(writer.parts())
        state.drop([state.table.code("d0")])
        play(pipeline, [sample("other", 9)])
        raise OSError("full")
    assert (state.gone, state.table.code("d0")) == (["d0"], None)
    found = {record.name: record for record in records(pipeline)}
    assert found["other"].since is None
    expected = known(pipeline)
    again = start(folder=pipeline.runtime.folder)
    assert known(again) == expected
    assert again.runtime.state.table.code("d0") is None


# Files


def draft(folder, content: str):
    path = folder / "draft"
    path.write_text(content)
    return path


def contents(folder) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_snapshots_are_numbered_from_zero(start):
    pipeline = start()
    assert pipeline.runtime.snapshots.sequence == -1
    for number in range(3):
        pipeline.runtime.save()
        assert pipeline.runtime.snapshots.sequence == number
    assert start(folder=pipeline.runtime.folder).runtime.snapshots.sequence == 2


def test_earlier_snapshots_stay_as_long_as_they_are_needed(tmp_path):
    snapshots = Snapshots(tmp_path)
    for sequence, needs, expected in (
        (0, 0, {"state.bin": "0"}),
        (1, 0, {"state.bin": "1", "state.0.bin": "0"}),
        (2, 0, {"state.bin": "2", "state.1.bin": "1", "state.0.bin": "0"}),
        (3, 1, {"state.bin": "3", "state.2.bin": "2", "state.1.bin": "1"}),
        (4, 3, {"state.bin": "4", "state.3.bin": "3"}),
        (5, 5, {"state.bin": "5"}),
    ):
        snapshots.put(draft(tmp_path, str(sequence)), sequence, needs)
        assert (contents(tmp_path), snapshots.sequence) == (expected, sequence)


def test_snapshots_that_a_folder_of_before_had_beyond_the_newest_are_removed(tmp_path):
    for name in ("state.0.bin", "state.1.bin", "state.7.bin", "state.old.bin"):
        (tmp_path / name).write_text(name)
    snapshots = Snapshots(tmp_path)
    snapshots.put(draft(tmp_path, "1"), 1, 0)
    assert contents(tmp_path) == {"state.0.bin": "state.0.bin", "state.bin": "1", "state.old.bin": "state.old.bin"}


def test_a_missing_newest_snapshot_is_not_renamed(tmp_path):
    snapshots = Snapshots(tmp_path)
    snapshots.put(draft(tmp_path, "0"), 0, 0)
    (tmp_path / FILE).rename(tmp_path / "state.0.bin")
    snapshots.put(draft(tmp_path, "1"), 1, 0)
    assert contents(tmp_path) == {"state.0.bin": "0", "state.bin": "1"}


def test_all_snapshots_that_cannot_be_read_are_set_aside(tmp_path):
    for name in ("state.0.bin", "state.12.bin"):
        (tmp_path / name).write_text(name)
    Snapshots(tmp_path).set_aside()
    assert contents(tmp_path) == {"state.0.damaged": "state.0.bin", "state.12.damaged": "state.12.bin"}


# The replay point


def test_the_replay_point_is_before_all_that_waits_to_be_joined(start):
    from netops.serving.decode.remote_write import Point
    from netops.serving.settings import ServingSettings, TimeSettings

    pipeline = start(ServingSettings(time=TimeSettings(allowed_lateness=0)))
    runtime = pipeline.runtime
    assert replay_point(runtime) == NEVER
    play(pipeline, fleet(3, 20))
    newest = (START + 19 * 5) * SECOND
    assert replay_point(runtime) == newest
    for time, point in ((newest + 5 * SECOND, newest), (newest - 1, newest - 2)):
        runtime.joiner.add([Point("d0", time, "latency", 1.0, None, None)], newest)
        assert replay_point(runtime) == point
