"""Verdicts and recorded incidents on disk."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netops.errors import UsageError
from netops.feedback.records import Incident, Statement
from netops.serving.alerts.feedback_store import FeedbackStore, UnknownAlertError
from netops.serving.alerts.store import Alert
from tests.serving.test_alert_store import alert

NOW = 1_800_000_000 * 10**9


@pytest.fixture
def store(tmp_path):
    store = FeedbackStore(tmp_path / "alerts.sqlite")
    yield store
    store.close()


def statement(verdict="confirmed", **more) -> Statement:
    return Statement(verdict=verdict, **more)


def incident(number=1, **more) -> Incident:
    values = {"source": "tickets", "id": str(number), "device": "a", "start": f"2024-01-0{number}T00:00:00Z"}
    return Incident(**values | more)


def test_the_latest_feedback_applies_and_the_history_is_stored(store):
    store.save([alert()])
    assert store.record_verdict(alert().id, statement("dismissed", by="eve"), NOW)[0].verdict == "dismissed"
    assert store.record_verdict(alert().id, statement("confirmed", by="ada", note="fan"), NOW + 10**9)[1]
    assert [(s.verdict, s.by, s.note, s.given) for s in store.statements(alert().id)] == [
        ("dismissed", "eve", None, "2027-01-15T08:00:00Z"),
        ("confirmed", "ada", "fan", "2027-01-15T08:00:01Z"),
    ]
    # The alert continues and keeps its feedback.
    store.save([alert(ended="2024-01-01T01:00:00Z")])
    assert store.recent()[0].verdict == "confirmed"
    (verdict,) = store.feedback("demo").verdicts
    assert (verdict.verdict, verdict.by, verdict.ended) == ("confirmed", "ada", "2024-01-01T01:00:00Z")


def test_repeated_feedback_is_stored_once(store):
    store.save([alert()])
    changes = [store.record_verdict(alert().id, statement(by="ada"), NOW + tick)[1] for tick in range(3)]
    assert changes == [True, False, False]
    assert len(store.statements(alert().id)) == 1


def test_the_beginning_of_an_id_is_enough_where_no_other_has_it(store):
    store.save([alert(number) for number in range(1, 40)])
    ids = sorted(found.id for found in store.recent())
    twins = next(a for a, b in pairwise(ids) if a[0] == b[0])
    assert store.find(ids[0][:12]).id == ids[0]
    with pytest.raises(UsageError, match="more than one alert id starts with"):
        store.find(twins[0])
    for unknown in ("x", "", "'; DROP TABLE alerts; --", "%", ids[0] + "0"):
        with pytest.raises(UnknownAlertError, match="no alert"):
            store.record_verdict(unknown, statement(), NOW)


def test_a_repair_is_after_the_opening_and_requires_its_verdict(store):
    store.save([alert(5)])
    with pytest.raises(UsageError, match="the repair must be later"):
        store.record_verdict(alert(5).id, statement("repaired", repaired_at="2024-01-01T00:00:05Z"), NOW)
    with pytest.raises(UsageError, match="requires the verdict 'repaired'"):
        store.record_verdict(alert(5).id, statement("confirmed", repaired_at="2024-01-01T00:01:00Z"), NOW)
    assert store.statements(alert(5).id) == []
    store.record_verdict(alert(5).id, statement("repaired", repaired_at="2024-01-01T00:01:00Z"), NOW)
    assert store.feedback("demo").verdicts[0].repaired_at == "2024-01-01T00:01:00Z"


def test_a_verdict_on_a_site_holds_for_its_alerts_that_have_none(store):
    site = Alert(id="site", kind="site", network="demo", site="x", opened=alert(4).opened, devices=["a", "b"])
    own, other = alert(3), alert(5, id="other", device="b")
    before, silent = alert(1, id="before", ended=alert(2).opened), alert(4, id="quiet", kind="silent")
    store.save([site, own, other, before, silent, alert(5, id="elsewhere", device="c")])
    store.record_verdict("site", statement("confirmed", by="ada"), NOW)
    store.record_verdict(own.id, statement("dismissed"), NOW)
    store.record_verdict("quiet", statement("dismissed"), NOW)
    found = {verdict.alert: verdict.verdict for verdict in store.feedback("demo").verdicts}
    assert found == {own.id: "dismissed", "other": "confirmed"}


def test_incidents_are_identified_by_source_and_id(store):
    assert store.record([incident(1), incident(2)], NOW) == {"recorded": 2}
    assert store.record([incident(1), incident(2, end="2024-01-02T01:00:00Z")], NOW) == {"known": 1, "changed": 1}
    assert store.record([incident(1, source="mail")], NOW) == {"recorded": 1}
    assert [(i.source, i.id, i.end) for i in store.incidents()] == [
        ("mail", "1", None),
        ("tickets", "1", None),
        ("tickets", "2", "2024-01-02T01:00:00Z"),
    ]
    assert store.remove("tickets", "1") == 1
    assert store.remove("tickets") == 1
    assert store.remove("tickets") == 0
    assert len(store.incidents()) == 1


def test_all_incidents_are_recorded_or_none(store):
    with pytest.raises(ValueError, match="ISO 8601"):
        store.record([incident(1), incident(2, start="soon")], NOW)
    assert store.incidents() == []


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 5), st.integers(1, 5)), max_size=20))
def test_replays_in_any_order_come_to_the_last_word(tmp_path_factory, reported):
    store = FeedbackStore(tmp_path_factory.mktemp("store") / "alerts.sqlite")
    expected = {}
    for source, number, day in reported:
        store.record([incident(number, source=source, start=f"2024-02-0{day}T00:00:00Z")], NOW)
        expected[source, str(number)] = f"2024-02-0{day}T00:00:00Z"
    assert {(i.source, i.id): i.start for i in store.incidents()} == expected
    store.close()


_WRITER = """
import sys, time
from pathlib import Path
from netops.serving.alerts.feedback_store import FeedbackStore
from tests.serving.test_feedback_store import NOW, incident
store = FeedbackStore(Path(sys.argv[1]))
for number in range(100_000):
    store.record([incident(1, id=f"{number}-{part}") for part in range(7)], NOW)
    print(number, flush=True)
"""


def test_confirmed_records_survive_a_kill(tmp_path):
    path = tmp_path / "alerts.sqlite"
    command, root = [sys.executable, "-c", _WRITER, str(path)], Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as writer:
        for _ in range(20):
            reported = int(writer.stdout.readline())
        time.sleep(0.013)
        os.kill(writer.pid, signal.SIGKILL)
        reported = max([reported, *map(int, writer.stdout.read().split())])
    store = FeedbackStore(path)
    remaining = [incident.id.split("-") for incident in store.incidents()]
    store.close()
    batches = {int(batch) for batch, _ in remaining}
    assert batches >= set(range(reported + 1))
    assert len(remaining) == 7 * len(batches)  # only complete batches


def test_a_server_and_the_command_write_at_the_same_time(tmp_path):
    stores = [FeedbackStore(tmp_path / "alerts.sqlite") for _ in range(2)]
    stores[0].save([alert()])
    for number in range(20):
        stores[number % 2].record_verdict(alert().id, statement(note=str(number)), NOW)
        stores[1 - number % 2].record([incident(1, id=str(number))], NOW)
    assert len(stores[0].statements(alert().id)) == len(stores[1].incidents()) == 20
    for store in stores:
        store.close()


def test_the_alerts_of_an_earlier_version_are_restored(tmp_path):
    path = tmp_path / "alerts.sqlite"
    first = FeedbackStore(path)
    first.save([alert()])
    first.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE statements")
        connection.execute("DROP TABLE incidents")
    store = FeedbackStore(path)
    assert store.record_verdict(alert().id, statement(), NOW)[1]
    store.close()


@pytest.mark.parametrize(
    ("verdict", "repaired_at", "opened"),
    [
        ("dismissed", None, "2026-01-05T00:00:00Z"),
        ("confirmed", None, "2026-01-05T02:00:00Z"),
        ("repaired", "2026-01-05T01:30:00Z", "2026-01-05T01:00:00Z"),
        ("repaired", "2026-01-05T00:30:00Z", "2026-01-05T00:00:00Z"),
    ],
)
def test_of_an_alert_that_was_renewed_the_opening_that_was_right_is_learned_from(
    tmp_path, verdict, repaired_at, opened
):
    store = FeedbackStore(tmp_path / "alerts.sqlite")
    renewed = ["2026-01-05T01:00:00Z", "2026-01-05T02:00:00Z"]
    alert = Alert(id="x", kind="risk", network="demo", device="a", opened="2026-01-05T00:00:00Z", renewed=renewed)
    store.save([alert])
    store.record_verdict("x", Statement(verdict=verdict, repaired_at=repaired_at, given=renewed[1]), 10**18)
    (found,) = store.feedback("demo").verdicts
    assert found.opened == opened
