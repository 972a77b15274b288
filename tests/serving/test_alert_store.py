"""Alerts on disk, and the outbox beside them."""

import sqlite3
import threading

import msgspec
import pytest

from netops.errors import NetopsError
from netops.feedback.records import Statement
from netops.serving.alerts.feedback_store import FeedbackStore
from netops.serving.alerts.store import Alert, AlertStore, alert_of, identity
from netops.serving.decode.times import iso, nanoseconds

BEGUN = nanoseconds("2024-01-01T00:00:00Z")
LATER = "2024-01-01T06:00:00Z"


def alert(number: int = 1, **more) -> Alert:
    opened = iso(BEGUN + number * 10**9)
    values = {"id": identity("demo", "risk", "a", number), "kind": "risk", "network": "demo", "device": "a"}
    return Alert(**values | {"opened": opened} | more)


def due(store, receiver="hook"):
    """The rows that are due now, and what would be once these are done."""
    found = []
    while rows := store.outbox.due(receiver, 1e12):
        found += [(row.event, alert_of(row.body, row.verdict).id) for row in rows]
        store.outbox.done(rows)
    return found


@pytest.fixture
def store(tmp_path):
    store = AlertStore(tmp_path / "alerts.sqlite")
    yield store
    store.close()


def test_a_replayed_alert_is_sent_once(store):
    for _ in range(2):
        store.save([alert()], ["hook"])
    assert due(store) == [("opened", alert().id)]
    store.save([alert()], ["hook"])
    assert due(store) == []
    for _ in range(2):
        store.save([alert(ended=LATER)], ["hook"])
    assert due(store) == [("ended", alert().id)]


def test_silenced_and_rolled_up_alerts_are_stored_but_not_sent(store):
    store.save([alert(1, silenced=True), alert(2, rolled_up="x")], ["hook"])
    store.save([alert(1, silenced=True, ended=LATER), alert(2, rolled_up="x", ended=LATER)], ["hook"])
    assert due(store) == []
    assert len(store.recent()) == 2


def test_receivers_of_an_opening_receive_the_end(store):
    store.save([alert()], ["hook"])
    store.save([alert(rolled_up="x", ended=LATER)], ["hook", "new"])
    assert due(store) == [("opened", alert().id), ("ended", alert().id)]
    assert due(store, "new") == []


def test_a_renewal_is_sent_once_and_allows_another_end(store):
    renewed = [iso(BEGUN + 600 * 10**9)]
    store.save([alert()], ["hook"])
    store.save([alert(ended=LATER, renewed=[])], ["hook"])
    for _ in range(2):
        store.save([alert(renewed=renewed)], ["hook"])
    store.save([alert(renewed=renewed, ended="2024-01-01T07:00:00Z")], ["hook"])
    assert [event for event, _ in due(store)] == ["opened", "ended", "renewed", "ended"]


def test_the_end_of_a_lapsed_alert_waits_until_it_is_settled(store):
    store.save([alert()], ["hook"])
    store.save([alert(ended=LATER)], ["hook"], {alert().id})
    assert [event for event, _ in due(store)] == ["opened"]
    assert store.unsettled() == [(alert(ended=LATER), True)]
    assert store.recent(open_only=True) == []
    store.save([alert(ended=LATER)], ["hook"])
    assert ([event for event, _ in due(store)], store.unsettled()) == (["ended"], [])


def test_a_row_that_failed_waits_and_so_do_later_ones_of_the_same_alert(store):
    store.save([alert(1), alert(2)], ["hook"])
    store.save([alert(1, ended=LATER)], ["hook"])
    first, second = store.outbox.due("hook", 100.0)
    store.outbox.later(first, 200.0, "503")
    assert [row.number for row in store.outbox.due("hook", 100.0)] == [second.number]
    again = store.outbox.due("hook", 200.0)
    assert [(row.event, row.tries) for row in again] == [("opened", 1), ("opened", 0)]


def test_open_alerts_are_distinct(store):
    store.save([alert(1), alert(2, ended=LATER)])
    assert [found.id for found in store.recent(open_only=True)] == [alert(1).id]
    assert [found.opened for found in store.recent()] == [alert(2).opened, alert(1).opened]


def test_ended_alerts_are_pruned_except_those_with_feedback(tmp_path):
    store = FeedbackStore(tmp_path / "alerts.sqlite")
    store.save([alert(n, ended=LATER) for n in (1, 2)] + [alert(3), alert(4, ended="2024-02-01T00:00:00Z")])
    store.save([alert(5, ended=LATER)], ["hook"])
    store.save([alert(6, ended=LATER)], [], {alert(6).id})
    store.record_verdict(alert(2).id, Statement(verdict="confirmed", given=LATER), BEGUN)
    before = nanoseconds("2024-01-15T00:00:00Z")
    assert (store.prune(nanoseconds(LATER)), store.prune(before), store.prune(before)) == (0, 1, 0)
    assert {found.id for found in store.recent()} == {alert(n).id for n in (2, 3, 4, 5, 6)}
    due(store)
    assert store.prune(before) == 1
    assert store.outbox.entries(["done"]) == []


def test_old_alerts_are_found_without_reading_all_others(store):
    from netops.serving.alerts.store import _OLD

    plan = store._connection.execute(f"EXPLAIN QUERY PLAN {_OLD}", (1, 1)).fetchall()
    assert any("alerts_ended" in row[-1] for row in plan)
    assert not any(row[-1].startswith("SCAN") for row in plan)


OLD_TABLES = """
CREATE TABLE alerts (
    id TEXT PRIMARY KEY, about TEXT, opened INTEGER NOT NULL, ended INTEGER, body BLOB NOT NULL, verdict TEXT
);
CREATE INDEX alerts_by_time ON alerts (opened);
CREATE INDEX alerts_about ON alerts (about, opened);
CREATE INDEX alerts_open ON alerts (ended) WHERE ended IS NULL;
CREATE TABLE deliveries (
    alert TEXT NOT NULL, event TEXT NOT NULL, receiver TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (alert, event, receiver)
);
CREATE INDEX deliveries_due ON deliveries (receiver) WHERE done = 0;
"""


def old_file(path):
    """A file of version 0.1.0: an open alert that was sent, and an ended one whose end is pending."""
    connection = sqlite3.connect(path)
    connection.executescript(OLD_TABLES)
    for one in (alert(1), alert(2, ended=LATER)):
        body = msgspec.to_builtins(one)
        del body["renewed"], body["end_reason"]
        values = (one.id, "device a", nanoseconds(one.opened), one.ended and nanoseconds(one.ended))
        connection.execute(
            "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?)", (*values, msgspec.json.encode(body), None)
        )
    rows = [(1, "opened", 1), (2, "opened", 1), (2, "ended", 0)]
    connection.executemany(
        "INSERT INTO deliveries VALUES (?, ?, 'hook', ?)", [(alert(n).id, event, done) for n, event, done in rows]
    )
    connection.commit()
    connection.close()


def test_a_file_from_before_the_outbox_is_migrated(tmp_path):
    old_file(tmp_path / "alerts.sqlite")
    store = AlertStore(tmp_path / "alerts.sqlite")
    assert store.recent() == [alert(2, ended=LATER), alert(1)]
    store.save([alert(1)], ["hook"])
    assert due(store) == [("ended", alert(2).id)]
    store.save([alert(1, ended=LATER), alert(2, ended=LATER)], ["hook"])
    assert due(store) == [("ended", alert(1).id)]


def test_several_may_bring_a_file_up_to_date_at_once(tmp_path):
    old_file(tmp_path / "alerts.sqlite")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(len(AlertStore(tmp_path / "alerts.sqlite").recent())))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 8


def test_a_file_of_a_newer_version_is_not_changed(tmp_path):
    connection = sqlite3.connect(tmp_path / "alerts.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NetopsError, match="newer NetOps"):
        AlertStore(tmp_path / "alerts.sqlite").recent()
