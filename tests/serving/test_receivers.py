"""Receivers that are real servers: up, down, refusing, limiting, redirecting, talking nonsense."""

import json
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest

from netops.serving.alerts import deliveries as module
from netops.serving.alerts.deliveries import Deliveries
from netops.serving.alerts.receivers import alertmanager, posting
from netops.serving.alerts.store import AlertStore
from netops.serving.engine.metrics import ServingMetrics
from netops.serving.settings import ReceiverSettings
from tests.serving.hooks import Hook, free_port, status, until
from tests.serving.test_alert_store import alert
from tests.telemetry.v3io_peer import Platform, web_api


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(module, "MAX_PAUSE", 0.1)


@contextmanager
def delivering(path, *settings, metrics=None):
    deliveries = Deliveries(path, settings, metrics or ServingMetrics("n"))
    deliveries.start()
    yield deliveries
    deliveries.stop()


def webhook(hook):
    return ReceiverSettings("webhook", f"{hook.url}/hook")


def counted(metrics, result):
    return metrics.registry.get_sample_value(
        "netops_deliveries_total", {"network": "n", "receiver": "webhook", "result": result}
    )


def test_nothing_is_lost_while_a_receiver_is_down(tmp_path):
    store, port = AlertStore(tmp_path / "a"), free_port()
    with delivering(tmp_path / "a", ReceiverSettings("webhook", f"http://127.0.0.1:{port}/")) as deliveries:
        store.save([alert(1), alert(2)], deliveries.names)
        time.sleep(0.2)
        assert store.undelivered() == 2
        with Hook(lambda _, times: status(503 if times < 3 else 200), port) as hook:
            until(lambda: store.undelivered() == 0)
            store.save([alert(1, ended="2024-01-01T01:00:00Z")], deliveries.names)
            until(lambda: len(hook.taken) == 3)
    assert sorted(hook.ids()[:2]) == sorted([("opened", alert(1).id), ("opened", alert(2).id)])
    assert hook.ids()[2] == ("ended", alert(1).id)


def test_pending_events_are_sent_after_a_restart(tmp_path):
    with Hook() as hook:
        AlertStore(tmp_path / "a").save(
            [alert()], Deliveries(tmp_path / "a", [webhook(hook)], ServingMetrics("n")).names
        )
        with delivering(tmp_path / "a", webhook(hook)):
            until(lambda: len(hook.taken) == 1)


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (status(400, b"no such device"), "400 no such device"),
        (status(404), "404"),
        (status(302, Location="/elsewhere"), "302 (redirect to /elsewhere, not followed)"),
        (status(308, Location="/elsewhere"), "308 (redirect to /elsewhere, not followed)"),
    ],
)
def test_an_event_that_is_refused_is_parked_with_the_answer_and_blocks_no_other(tmp_path, refusal, message):
    store, metrics, fixed = AlertStore(tmp_path / "a"), ServingMetrics("n"), []
    bad = alert(2).id

    def answer(body, _):
        return status(200) if fixed or body["alert"]["id"] != bad else refusal

    with Hook(answer) as hook, delivering(tmp_path / "a", webhook(hook), metrics=metrics) as deliveries:
        store.save([alert(n) for n in range(1, 5)], deliveries.names)
        until(lambda: store.undelivered() == 0)
        assert sorted(hook.ids()) == sorted(("opened", alert(n).id) for n in (1, 3, 4))
        assert [method for method, *_ in hook.seen] == ["POST"] * 4  # no redirect was followed, nothing sent twice
        (parked,) = store.outbox.entries(["parked"])
        assert (parked.alert, parked.event, parked.answer) == (bad, "opened", message)
        assert (counted(metrics, "parked"), counted(metrics, "told")) == (1, 3)
        fixed.append(True)
        assert store.outbox.retry() == 1
        until(lambda: ("opened", bad) in hook.ids())


def test_a_rate_limit_is_respected_and_every_event_arrives_once(tmp_path):
    store, limit = AlertStore(tmp_path / "a"), 5
    window = []

    def answer(*_):
        now = time.monotonic()
        if window and now - window[0] > 0.3:
            window.clear()
        if len(window) >= limit:
            return status(429, Retry_After="0.35")
        window.append(now)
        return status(204)

    with Hook(answer) as hook, delivering(tmp_path / "a", webhook(hook)) as deliveries:
        store.save([alert(n) for n in range(20)], deliveries.names)
        until(lambda: store.undelivered() == 0)
    assert sorted(hook.ids()) == sorted(("opened", alert(n).id) for n in range(20))
    # Each refusal is one request: the pause that was asked for was made.
    assert len(hook.seen) <= 20 + 8


@pytest.mark.parametrize(("value", "seconds"), [("7", 7), ("-3", 0), ("1e9", 3600), ("nan", None), ("soon", None)])
def test_retry_after_is_read(value, seconds):
    assert posting.retry_after(value) == seconds


def test_retry_after_may_be_a_date():
    import email.utils

    wait = posting.retry_after(email.utils.formatdate(time.time() + 90, usegmt=True))
    assert 80 < wait <= 91


@pytest.mark.parametrize(
    "nonsense",
    [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut", b"HTTP/1.1 999999 ?\r\n\r\n", None],
)
def test_no_answer_ends_the_deliveries(tmp_path, nonsense):
    store, metrics = AlertStore(tmp_path / "a"), ServingMetrics("n")
    with (
        Hook(lambda _, times: nonsense if times < 3 else status(200)) as hook,
        delivering(tmp_path / "a", webhook(hook), metrics=metrics) as deliveries,
    ):
        store.save([alert(1), alert(2)], deliveries.names)
        until(lambda: store.undelivered() == 0)
    assert sorted(set(hook.ids())) == sorted([("opened", alert(1).id), ("opened", alert(2).id)])
    assert counted(metrics, "failed") >= 2


def test_one_event_that_always_fails_does_not_hold_up_the_others(tmp_path):
    store, bad = AlertStore(tmp_path / "a"), alert(2).id
    with (
        Hook(lambda body, _: status(500 if body["alert"]["id"] == bad else 200)) as hook,
        delivering(tmp_path / "a", webhook(hook)) as deliveries,
    ):
        store.save([alert(n) for n in range(6)], deliveries.names)
        until(lambda: store.undelivered() == 1)
        store.save([alert(2, ended="2024-01-01T01:00:00Z")], deliveries.names)
        until(lambda: store.outbox.entries(["due"])[0].tries > 3)
    # The end of an alert is not sent before its opening.
    assert {body["event"] for _, body, _ in hook.seen} == {"opened"}


def test_an_endless_answer_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(posting, "TIMEOUT", 0.3)
    store = AlertStore(tmp_path / "a")
    huge = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000
    with Hook(lambda *_: huge) as hook, delivering(tmp_path / "a", webhook(hook)) as deliveries:
        store.save([alert(1)], deliveries.names)
        until(lambda: store.undelivered() == 0)
    assert len(hook.seen) == 1


def test_the_deliveries_of_a_receiver_that_left_are_closed(tmp_path):
    store = AlertStore(tmp_path / "a")
    store.save([alert(1)], ["webhook http://gone", "webhook http://stays"])
    assert store.outbox.close_others(["webhook http://stays"]) == 1
    assert [entry.receiver for entry in store.outbox.entries(["due"])] == ["webhook http://stays"]
    store.save([alert(1, ended="2024-01-01T01:00:00Z")], ["webhook http://stays"])
    assert [entry.event for entry in store.outbox.entries(["due"])] == ["opened", "ended"]


def test_alertmanager_repeats_open_alerts_in_batches_except_silenced_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(alertmanager.Alertmanager, "repeat", 0.2)
    store = AlertStore(tmp_path / "a")
    quiet = [alert(5000, silenced=True), alert(5001, rolled_up="x"), alert(5002, ended="2024-01-01T02:00:00Z")]
    store.save(quiet)
    wanted = {alert(n).id for n in range(1500)}
    with Hook() as hook, delivering(tmp_path / "a", ReceiverSettings("alertmanager", hook.url)) as deliveries:
        store.save([alert(n) for n in range(1500)], deliveries.names)
        until(lambda: store.undelivered() == 0)
        hook.taken.clear()
        until(lambda: {one["labels"]["alert"] for batch in hook.taken for one in batch} == wanted)
        time.sleep(0.3)
    assert {one["labels"]["alert"] for batch in hook.taken for one in batch} == wanted
    assert max(len(batch) for batch in hook.taken) <= 100


def test_alertmanager_parks_the_one_alert_of_a_batch_that_it_refuses(tmp_path):
    store, bad = AlertStore(tmp_path / "a"), alert(13).id

    def answer(batch, _):
        return status(400, b"bad label") if bad in [one["labels"]["alert"] for one in batch] else status(200)

    with Hook(answer) as hook, delivering(tmp_path / "a", ReceiverSettings("alertmanager", hook.url)) as deliveries:
        store.save([alert(n) for n in range(40)], deliveries.names)
        until(lambda: store.undelivered() == 0)
        (parked,) = store.outbox.entries(["parked"])
    assert parked.alert == bad
    assert {one["labels"]["alert"] for batch in hook.taken for one in batch} == {alert(n).id for n in range(40)} - {
        bad
    }


def test_a_locked_store_sends_nothing_twice(tmp_path):
    store = AlertStore(tmp_path / "a")
    with Hook() as hook, delivering(tmp_path / "a", webhook(hook)) as deliveries:
        deliveries._couriers[0]._store._timeout = 0.05
        deliveries._couriers[0]._store.close()
        store.save([alert(1)], deliveries.names)
        with store._transaction():
            until(lambda: len(hook.seen) == 1)
            time.sleep(0.5)
        until(lambda: store.undelivered() == 0)
    assert len(hook.seen) == 1


def test_a_real_alertmanager_takes_and_resolves_alerts(tmp_path, require_program):
    program, port = require_program("prometheus-alertmanager", "alertmanager"), free_port()
    (tmp_path / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    process = subprocess.Popen(
        [
            program,
            f"--config.file={tmp_path / 'am.yml'}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        store = AlertStore(tmp_path / "a")
        settings = [ReceiverSettings("alertmanager", f"http://127.0.0.1:{port}")]
        deliveries = Deliveries(tmp_path / "a", settings, ServingMetrics("n"))
        deliveries.start()
        store.save([alert(data_center="x", peak=0.9)], deliveries.names)
        until(lambda: len(_alerts(port)) == 1)
        (found,) = _alerts(port)
        assert found["labels"]["device"] == "a"
        assert found["labels"]["alertname"] == "DeviceAboutToFail"
        assert found["status"]["state"] == "active"
        store.save([alert(data_center="x", ended="2024-01-01T01:00:00Z")], deliveries.names)
        until(lambda: _alerts(port) == [])
        deliveries.stop()
    finally:
        process.terminate()
        process.wait()


def _alerts(port: int) -> list:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/alerts", timeout=2) as answer:
            return json.loads(answer.read())
    except OSError:
        return []


def test_a_stream_takes_alerts_by_device(tmp_path, monkeypatch):
    monkeypatch.setenv("V3IO_ACCESS_KEY", "key")
    store, platform = AlertStore(tmp_path / "a"), Platform()
    platform.fail = 503
    with web_api(platform) as api:
        settings = [ReceiverSettings("stream", f"v3io://{api}/projects/netops/alerts?backend=stream&shards=2")]
        deliveries = Deliveries(tmp_path / "a", settings, ServingMetrics("n"))
        deliveries.start()
        store.save([alert(1), alert(2)], deliveries.names)
        time.sleep(0.2)
        assert store.undelivered() == 2
        platform.fail = 0
        until(lambda: store.undelivered() == 0)
        deliveries.stop()
    taken = platform.records("projects/netops/alerts")
    # Each waits for a time of its own after the failure: alerts have an order of their own events alone.
    assert {(record["event"], record["device"], record["alert"]["id"]) for record in taken} == {
        ("opened", "a", alert(1).id),
        ("opened", "a", alert(2).id),
    }
    assert len(taken) == 2
