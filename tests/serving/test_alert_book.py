"""The open alerts of a network: renewals, restarts, and a store that cannot be used."""

import os
import sqlite3

import pytest

from netops.alerting.settings import AlertSettings
from netops.config.binding import bind
from netops.serving.alerts import active as alert_book
from netops.serving.alerts.store import AlertStore
from netops.serving.engine.samples import BodyError
from netops.serving.requests.endpoints.alerts import AlertsQuery, alerts
from netops.serving.requests.endpoints.health import health
from netops.serving.settings import ReceiverSettings, ServingSettings
from tests.serving.hooks import Hook, until
from tests.serving.samples import body, sample

#: Ticks of a horizon, which is the cool-down and the age at which alerts expire, too.
HORIZON = 120


def run(pipeline, ticks, hot=(), devices=("a", "b", "c")):
    """Send every device a sample per tick, one request a tick."""
    answers = []
    for tick in ticks:
        answers += pipeline.run(body(*[sample(device, tick, hot=device in hot) for device in devices]))
    return answers


def alerting(**keys):
    return bind(AlertSettings, keys, "alerting")


def stored(pipeline):
    return {alert.id: alert for alert in pipeline.runtime.store.recent()}


def current(pipeline, kind="risk"):
    return [alert for alert in pipeline.runtime.active_alerts.current() if alert.kind == kind]


def events(pipeline):
    """Events of the outbox in their order."""
    return [entry.event for entry in pipeline.runtime.store.outbox.entries(["due", "done"])]


RECEIVER = ServingSettings(receivers=(ReceiverSettings("webhook", "http://127.0.0.1:9/"),))


def test_an_alert_that_expires_while_the_risk_is_high_continues(start):
    pipeline = start(RECEIVER)
    run(pipeline, range(2 * HORIZON + 10), hot="a")
    (alert,) = current(pipeline)
    assert (len(alert.renewed), alert.ended) == (2, None)
    assert list(stored(pipeline)) == [alert.id]
    assert events(pipeline) == ["opened", "renewed", "renewed"]
    run(pipeline, range(2 * HORIZON + 10, 4 * HORIZON))
    assert current(pipeline) == []
    (ended,) = stored(pipeline).values()
    assert ended.ended is not None
    assert events(pipeline) == ["opened", "renewed", "renewed", "ended"]


def test_each_renewal_is_a_page_where_that_is_asked_for(start):
    pipeline = start(RECEIVER, alerting=alerting(renewals="page"))
    run(pipeline, range(2 * HORIZON + 10), hot="a")
    found = stored(pipeline).values()
    assert [(alert.renewed, alert.end_reason) for alert in sorted(found, key=lambda one: one.opened)] == [
        ([], "expired"),
        ([], "expired"),
        ([], None),
    ]
    assert events(pipeline) == ["opened", "ended", "opened", "ended", "opened"]


def test_an_alert_that_expires_after_the_risk_has_come_down_ends_a_cooldown_after_it_did(start):
    pipeline = start(RECEIVER)
    run(pipeline, range(60), hot="a")
    run(pipeline, range(60, HORIZON + 5))
    assert current(pipeline) == []
    (alert,) = stored(pipeline).values()
    assert alert.end_reason == "expired"
    assert alert.calm_since < alert.ended
    assert events(pipeline) == ["opened"]  # it may go on yet
    run(pipeline, range(HORIZON + 5, HORIZON + 8), hot="a")
    assert [one.id for one in current(pipeline)] == [alert.id]
    run(pipeline, range(HORIZON + 8, 3 * HORIZON + 20))
    assert events(pipeline) == ["opened", "renewed", "ended"]


def test_the_alert_of_a_device_that_falls_silent_expires_by_the_time_of_the_others(start):
    pipeline = start(RECEIVER)
    run(pipeline, range(20), hot="a")
    run(pipeline, range(20, 3 * HORIZON), devices=("b", "c"))
    assert [alert.kind for alert in pipeline.runtime.active_alerts.current()] == ["silent"]
    (risk,) = [alert for alert in stored(pipeline).values() if alert.kind == "risk"]
    assert risk.end_reason == "expired"
    assert events(pipeline).count("ended") == 1
    # Its backlog opens the alerts that it would have opened.
    run(pipeline, range(20, 3 * HORIZON), hot="a", devices=("a",))
    (again,) = current(pipeline)
    assert len(again.renewed) == 1
    assert len([alert for alert in stored(pipeline).values() if alert.kind == "risk"]) == 2


def test_a_device_that_sends_its_backlog_before_its_alert_expired_has_it_again(start):
    pipeline = start(RECEIVER)
    run(pipeline, range(20), hot="a")
    (alert,) = current(pipeline)
    run(pipeline, range(20, HORIZON + 30), devices=("b", "c"))
    assert current(pipeline) == []
    (answer,) = run(pipeline, [20], hot="a", devices=("a",))
    assert answer.alert
    assert [one.id for one in current(pipeline)] == [alert.id]
    about = [entry.event for entry in pipeline.runtime.store.outbox.entries(["due"]) if entry.alert == alert.id]
    assert about == ["opened"]


def test_a_silence_that_is_over_when_an_alert_renews_hides_it_no_longer(start):
    window = {"from": "2023-11-14T22:00", "until": "2023-11-14T22:20", "device": "a"}
    pipeline = start(RECEIVER, alerting=alerting(silences=[window]))
    run(pipeline, range(HORIZON), hot="a")
    assert (current(pipeline)[0].silenced, events(pipeline)) == (True, [])
    run(pipeline, range(HORIZON, HORIZON + 10), hot="a")
    assert (current(pipeline)[0].silenced, events(pipeline)) == (False, ["opened"])


def test_devices_alert_separately_after_the_end_of_their_site_alert(start):
    pipeline = start(RECEIVER, alerting=alerting(roll_up={"devices": 3, "share": 0.5}))
    site = {"company": "c", "data_center": "x"}

    def tick(number, hot):
        pipeline.run(body(*[sample(f"d{n}", number, hot=n in hot, **site) for n in range(5)]))

    for number in range(10):
        tick(number, {0, 1, 2} if number > 3 else ())
    assert {alert.kind for alert in pipeline.runtime.active_alerts.current()} == {"risk", "site"}
    assert events(pipeline) == ["opened"]
    for number in range(10, 3 * HORIZON):
        tick(number, {0})
    (left,) = pipeline.runtime.active_alerts.current()
    assert (left.device, left.rolled_up) == ("d0", None)
    assert sorted(events(pipeline)[:3]) == ["ended", "opened", "opened"]


# After a restart -----------------------------------------------------------------------------------------------


def test_after_a_crash_and_a_replay_alerts_are_equal_and_sent_once(start):
    pipeline = start(RECEIVER)
    run(pipeline, range(20))
    pipeline.runtime.save()
    run(pipeline, range(20, 40), hot="a")
    before, sent = stored(pipeline), events(pipeline)
    pipeline = start(RECEIVER)
    assert current(pipeline) == []
    run(pipeline, range(20, 40), hot="a")
    assert (stored(pipeline), events(pipeline)) == (before, sent)
    assert [alert.id for alert in current(pipeline)] == list(before)


@pytest.mark.parametrize("killed_at", [170, 300, 900])
def test_a_renewal_that_comes_up_again_after_a_crash_is_of_the_same_alert(start, killed_at):
    """The snapshot is of a time at which the alert had expired; at the kill it was renewed, or had ended."""

    def play(ticks):
        for tick in ticks:
            run(pipeline, [tick], hot="a" if tick < 100 or 160 <= tick < 420 else "")

    pipeline = start(RECEIVER)
    play(range(140))
    assert current(pipeline) == []
    pipeline.runtime.save()
    play(range(140, killed_at))
    before, sent = stored(pipeline), events(pipeline)
    assert [len(alert.renewed) for alert in before.values()] == [{170: 1, 300: 2, 900: 3}[killed_at]]
    pipeline = start(RECEIVER)
    play(range(140, killed_at))
    assert (stored(pipeline), events(pipeline)) == (before, sent)


def test_what_no_replay_opens_again_is_ended_with_a_reason(start):
    pipeline = start(RECEIVER)
    run(pipeline, range(20))
    pipeline.runtime.save()
    run(pipeline, range(20, 40), hot="a")
    pipeline = start(RECEIVER)
    run(pipeline, range(60, 60 + HORIZON - 10))
    assert events(pipeline) == ["opened"]  # samples may yet be sent again
    run(pipeline, range(60 + HORIZON - 10, 60 + HORIZON + 10))
    (alert,) = stored(pipeline).values()
    assert alert.end_reason == "not held by the restored state"
    assert events(pipeline) == ["opened", "ended"]


def test_a_device_that_is_still_at_risk_after_its_state_was_lost_is_not_paged_again(start):
    pipeline = start(RECEIVER)
    run(pipeline, range(40), hot="a")
    (alert,) = current(pipeline)
    pipeline.runtime.save()
    path = pipeline.runtime.folder / "state.bin"
    path.write_bytes(path.read_bytes()[:-30])
    pipeline = start(RECEIVER)
    run(pipeline, range(41, 60), hot="a")
    assert [one.id for one in current(pipeline)] == [alert.id]
    assert events(pipeline) == ["opened", "renewed"]
    run(pipeline, range(60, 60 + 3 * HORIZON))
    assert pipeline.runtime.store.unsettled() == []
    assert events(pipeline)[-1] == "ended"


def test_silent_and_site_alerts_of_before_do_not_stay_open_for_ever(start):
    pipeline = start(RECEIVER, alerting=alerting(roll_up={"devices": 2, "share": 0.1}))
    site = {"company": "c", "data_center": "x"}
    for tick in range(80):
        devices = "abcd" if tick < 10 else "abc"
        pipeline.run(body(*[sample(name, tick, hot=name in "ab", **site) for name in devices]))
    assert {alert.kind for alert in pipeline.runtime.active_alerts.current()} == {"risk", "site", "silent"}
    pipeline = start(RECEIVER, alerting=alerting(roll_up={"devices": 2, "share": 0.1}))
    for tick in range(90, 90 + 2 * HORIZON):
        pipeline.run(body(*[sample(name, tick, **site) for name in "abc"]))
    assert pipeline.runtime.store.unsettled() == []
    assert pipeline.runtime.active_alerts.current() == []
    reasons = {(alert.kind, alert.end_reason) for alert in stored(pipeline).values()}
    lost = "not held by the restored state"
    assert reasons == {("risk", lost), ("silent", lost), ("site", lost)}


def test_a_lapsed_alert_of_before_is_settled_after_a_restart(start):
    pipeline = start(RECEIVER)
    run(pipeline, range(60), hot="a")
    run(pipeline, range(60, HORIZON + 5))
    pipeline.runtime.save()
    pipeline = start(RECEIVER)
    run(pipeline, range(HORIZON + 5, 2 * HORIZON))
    (alert,) = stored(pipeline).values()
    assert (alert.end_reason, events(pipeline)) == ("expired", ["opened", "ended"])


# A store that cannot be used -----------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    from netops.serving.alerts import store_guard

    monkeypatch.setattr(store_guard, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(store_guard, "_LONGEST_PAUSE", 0.0)


def up(pipeline):
    registry = pipeline.runtime.metrics.registry
    return registry.get_sample_value("netops_alert_store_up", {"network": "demo"})


def test_while_the_store_is_locked_samples_are_answered_and_nothing_is_lost(start, quick):
    pipeline = start(RECEIVER)
    run(pipeline, range(5))
    other = sqlite3.connect(pipeline.runtime.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers = run(pipeline, range(5, 8), hot="a")
    assert {answer.status for answer in answers} == {"scored"}
    found = health(pipeline.runtime)
    assert (found.status, len(found.problems), up(pipeline)) == ("degraded", 1, 0)
    assert [alert.device for alert in alerts(pipeline.runtime, AlertsQuery())] == ["a"]
    assert stored(pipeline) == {}
    other.execute("ROLLBACK")
    assert (health(pipeline.runtime).status, up(pipeline)) == ("ok", 1)
    assert [alert.device for alert in stored(pipeline).values()] == ["a"]
    assert events(pipeline) == ["opened"]


def test_what_a_locked_store_did_not_take_is_in_the_snapshot(start, quick):
    pipeline = start(RECEIVER)
    run(pipeline, range(5))
    other = sqlite3.connect(pipeline.runtime.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    run(pipeline, range(5, 8), hot="a")
    run(pipeline, range(8, 8 + 2 * HORIZON))
    assert len(pipeline.runtime.active_alerts.unsaved()) == 1
    pipeline.runtime.save()
    other.execute("ROLLBACK")
    other.close()
    pipeline = start(RECEIVER)
    run(pipeline, [8 + 2 * HORIZON])
    assert [alert.ended is not None for alert in stored(pipeline).values()] == [True]
    assert events(pipeline) == ["opened", "ended"]


def test_a_damaged_store_is_set_aside_and_what_is_open_is_in_the_new_one(start, quick):
    pipeline = start(RECEIVER)
    run(pipeline, range(20), hot="a")
    (alert,) = current(pipeline)
    path = pipeline.runtime.store.path
    pipeline.runtime.store.close()
    size = path.stat().st_size
    path.write_bytes(os.urandom(size))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    answers = run(pipeline, range(20, 30), hot="ab")
    assert {answer.status for answer in answers} == {"scored"}
    assert health(pipeline.runtime).status == "ok"
    assert {one.device for one in stored(pipeline).values()} == {"a", "b"}
    assert alert.id in stored(pipeline)
    assert path.with_name(f"{path.name}.damaged-1").stat().st_size == size
    assert pipeline.runtime.active_alerts.guard.failures > 0


def test_a_server_starts_on_a_damaged_store(start, tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "alerts.sqlite").write_bytes(b"not a database, but long enough to be one" * 100)
    pipeline = start(RECEIVER)
    run(pipeline, range(20), hot="a")
    assert len(stored(pipeline)) == 1
    assert len(list(folder.glob("alerts.sqlite.damaged-*"))) == 1


def test_a_server_starts_on_a_locked_store_and_reconciles_when_it_can(start, quick):
    pipeline = start(RECEIVER)
    run(pipeline, range(20), hot="a")
    path = pipeline.runtime.store.path
    pipeline.runtime.store.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    pipeline = start(RECEIVER)
    assert {answer.status for answer in run(pipeline, range(30, 35))} == {"scored"}
    assert health(pipeline.runtime).status == "degraded"
    with pytest.raises(BodyError) as caught:
        alerts(pipeline.runtime, AlertsQuery(every=True))
    assert caught.value.status == 503
    other.close()
    run(pipeline, range(35, 40 + 2 * HORIZON))
    assert health(pipeline.runtime).status == "ok"
    assert pipeline.runtime.store.unsettled() == []


def test_a_full_disk_costs_no_answer(start, quick):
    pipeline = start(RECEIVER)
    run(pipeline, range(5))
    connection = pipeline.runtime.store._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    opening = AlertStore._prepare

    def full(self, opened):
        opening(self, opened)
        opened.execute(f"PRAGMA max_page_count = {pages}")

    connection.execute(f"PRAGMA max_page_count = {pages}")
    type(pipeline.runtime.store)._prepare, stored_alerts = full, type(pipeline.runtime.store)._prepare
    try:
        many = [f"device-{number}" for number in range(300)]
        answers = run(pipeline, range(5, 9), hot=many, devices=many)
        assert {answer.status for answer in answers} == {"scored"}
        found = health(pipeline.runtime)
        assert (found.status, "full" in found.problems[0]) == ("degraded", True)
    finally:
        type(pipeline.runtime.store)._prepare = stored_alerts
    pipeline.runtime.store.close()
    assert health(pipeline.runtime).status == "ok"
    assert len(stored(pipeline)) == 300


def test_unsaved_alerts_are_bounded_and_dropped_ones_are_counted(start, quick, monkeypatch):
    monkeypatch.setattr(alert_book, "MAX_UNSAVED", 2)
    pipeline = start(RECEIVER, alerting=alerting(cooldown="5s", **{"for": 1}))
    run(pipeline, range(2))
    other = sqlite3.connect(pipeline.runtime.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for tick in range(10, 400, 40):
        run(pipeline, [tick], hot="a")
        run(pipeline, range(tick + 1, tick + 30))
    other.execute("ROLLBACK")
    lost = pipeline.runtime.active_alerts.lost
    assert lost > 0
    assert pipeline.runtime.metrics.registry.get_sample_value("netops_alerts_lost", {"network": "demo"}) == lost
    assert len(pipeline.runtime.active_alerts.unsaved()) <= 2


def test_deliveries_go_on_with_the_new_file_after_a_damaged_one(start, quick):
    with Hook() as hook:
        pipeline = start(ServingSettings(receivers=(ReceiverSettings("webhook", hook.url),)))
        pipeline.runtime.deliveries.start()
        run(pipeline, range(20), hot="a")
        until(lambda: len(hook.taken) == 1)
        path = pipeline.runtime.store.path
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
        pipeline.runtime.store.close()
        path.with_name(path.name + "-wal").write_bytes(b"")
        run(pipeline, range(20, 40), hot="ab")
        until(lambda: {body["alert"]["device"] for body in hook.taken} == {"a", "b"})
