"""Receivers that are real servers, up and down."""

import json
import socket
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from netops.serving import receivers
from netops.serving.alert_store import AlertStore
from netops.serving.metrics import ServingMetrics
from netops.serving.receivers import Deliveries
from netops.serving.settings import ReceiverSettings
from tests.serving.test_alert_store import alert
from tests.telemetry.v3io_peer import Platform, web_api


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def hook(port: int, taken: list, failures: int = 0) -> HTTPServer:
    class Handler(BaseHTTPRequestHandler):
        left = failures

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if Handler.left > 0:
                Handler.left -= 1
                self.send_error(503)
                return
            taken.append(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def until(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited for nothing"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(receivers, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(receivers, "LONGEST_PAUSE", 0.1)


def test_nothing_is_lost_while_a_receiver_is_down(tmp_path):
    store, port, taken = AlertStore(tmp_path / "a"), free_port(), []
    deliveries = Deliveries(
        tmp_path / "a", [ReceiverSettings("webhook", f"http://127.0.0.1:{port}/")], ServingMetrics("n")
    )
    deliveries.start()
    store.save([alert(1), alert(2)], deliveries.names)
    time.sleep(0.2)
    assert store.undelivered() == 2
    server = hook(port, taken, failures=2)
    until(lambda: store.undelivered() == 0)
    store.save([alert(1, ended="2024-01-01T01:00:00Z")], deliveries.names)
    until(lambda: len(taken) == 3)
    deliveries.stop()
    server.shutdown()
    assert [(told["event"], told["alert"]["id"]) for told in taken] == [
        ("opened", alert(1).id),
        ("opened", alert(2).id),
        ("ended", alert(1).id),
    ]


def test_what_was_not_told_before_a_restart_is_told_after_it(tmp_path):
    settings, taken = [ReceiverSettings("webhook", f"http://127.0.0.1:{free_port()}/")], []
    AlertStore(tmp_path / "a").save([alert()], Deliveries(tmp_path / "a", settings, ServingMetrics("n")).names)
    server = hook(int(settings[0].url.split(":")[2].strip("/")), taken)
    deliveries = Deliveries(tmp_path / "a", settings, ServingMetrics("n"))
    deliveries.start()
    until(lambda: len(taken) == 1)
    deliveries.stop()
    server.shutdown()


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
    told = platform.records("projects/netops/alerts")
    assert [(record["event"], record["device"], record["alert"]["id"]) for record in told] == [
        ("opened", "a", alert(1).id),
        ("opened", "a", alert(2).id),
    ]
