"""State on disk: what is restored, what is sent again, what is damaged."""

import random
from dataclasses import replace

import pytest

from netops.durations import HOUR, MINUTE, SECOND
from netops.serving.champion import FixedModel
from netops.serving.snapshot import FILE
from netops.serving.times import iso
from tests.serving.samples import body, fleet, sample


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
    current = sorted((a.id, a.peak, a.peak_at) for a in runtime.book.current())
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


def test_the_replay_point_is_told(start):
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
    from netops.serving.champion import Champion, load_model
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
def test_a_state_is_taken_up_by_a_model_with_other_windows(start, tmp_path, windows):
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
    import msgspec

    from netops.serving.snapshot import DeviceRecord, Tail

    old = msgspec.msgpack.encode({"type": "x", "devices": 3, "shadow": b"y"})
    decoder = msgspec.msgpack.Decoder(Tail | list[DeviceRecord])
    assert decoder.decode(old) == Tail(3, b"y", [])
