"""A real Prometheus scrapes a device and writes what it has to the server."""

import json
import subprocess
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.serving.models import METRICS
from tests.serving.test_receivers import free_port, until


class Device(BaseHTTPRequestHandler):
    """An exporter with the four metrics."""

    def do_GET(self):
        body = "".join(f"{metric} 0.25\n" for metric in METRICS).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


CONFIGURATION = """
global: {scrape_interval: 500ms, scrape_timeout: 400ms}
scrape_configs:
  - job_name: devices
    static_configs: [{targets: ["127.0.0.1:%d"], labels: {device: router-1, company: acme, data_center: north}}]
remote_write:
  - {url: "%s/api/v1/write", queue_config: {batch_send_deadline: 300ms, min_shards: 3}}
"""


def test_a_real_prometheus_feeds_the_server(server, tmp_path, require_program):
    program = require_program("prometheus")
    exporter = HTTPServer(("127.0.0.1", 0), Device)
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    (tmp_path / "prometheus.yml").write_text(CONFIGURATION % (exporter.server_port, server))
    port = free_port()
    process = subprocess.Popen(
        [
            program,
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: [device["device"] for device in devices(server)] == ["router-1"], 40)
        until(lambda: scored(server) >= 4, 20)
        (device,) = devices(server)
        assert (device["company"], device["data_center"], device["alert"]) == ("acme", "north", False)
        assert 0 <= device["risk"] <= 1
    finally:
        process.terminate()
        process.wait()
        exporter.shutdown()
        exporter.server_close()


def devices(url: str) -> list:
    with urllib.request.urlopen(url + "/devices", timeout=5) as answer:
        return json.loads(answer.read())


def scored(url: str) -> float:
    with urllib.request.urlopen(url + "/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return next(
        float(line.split()[1]) for line in lines if line.startswith("netops_samples_total") and "scored" in line
    )
