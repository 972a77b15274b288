"""Programs started by a test on free loopback ports, with their own folders, and always stopped."""

import http.server
import json
import math
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers import LocalServer

DASHBOARDS = Path(__file__).parents[2] / "dashboards"


def free_port() -> int:
    """Find a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str, **query: str) -> Any:
    """Ask for JSON."""
    address = f"{url}?{urllib.parse.urlencode(query, doseq=True)}" if query else url
    with urllib.request.urlopen(address, timeout=5) as answer:
        return json.load(answer)


def wait_until(what: str, happened: Callable[[], Any], seconds: float = 20) -> Any:
    """Ask again and again until the answer is true; give it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := happened():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s in vain: {what}")


@contextmanager
def running(command: list[str], folder: Path, ready: str, env: dict[str, str] | None = None) -> Iterator[None]:
    """Run a program while the block lasts, once ``ready`` answers; its output goes to a file in the folder."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
        )
        try:
            wait_until(f"{command[0]}:\n{log.read_text()[-2000:]}", lambda: _answers(ready, process), 120)
            yield
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str, process: "subprocess.Popen[bytes]") -> bool:
    if process.poll() is not None:
        raise AssertionError(f"{process.args} ended with {process.returncode}")
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


class _Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, body: bytes = b"") -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def listening(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a small HTTP server in a thread; give its address."""
    server = LocalServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Prometheus:
    """Asks a Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def now(self, expr: str) -> list[dict[str, Any]]:
        """Ask for the series of this moment."""
        return list(get(f"{self.url}/api/v1/query", query=expr)["data"]["result"])

    def lately(self, expr: str, seconds: float = 300) -> list[float]:
        """Ask for the last seconds; give the values that are numbers."""
        end = time.time()
        asked = {"query": expr, "start": str(end - seconds), "end": str(end), "step": "1"}
        found = get(f"{self.url}/api/v1/query_range", **asked)["data"]["result"]
        values = [float(value) for series in found for _, value in series["values"]]
        return [value for value in values if not math.isnan(value)]

    def values_of(self, label: str, series: str) -> list[str]:
        """Ask for the values of a label."""
        return list(get(f"{self.url}/api/v1/label/{label}/values", **{"match[]": series})["data"])

    def names(self) -> set[str]:
        """Ask for the names of all series."""
        return set(get(f"{self.url}/api/v1/label/__name__/values")["data"])


@contextmanager
def exporter(text: Callable[[], bytes]) -> Iterator[str]:
    """Serve metrics in Prometheus' text format; give the address."""

    class Exporter(_Quiet):
        def do_GET(self) -> None:
            self._answer(text())

    with listening(Exporter) as url:
        yield url


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Take notifications in; give the address and what came, in order, each with the ``path`` it came to."""
    came: list[dict[str, Any]] = []

    class Webhook(_Quiet):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            came.append({**body, "path": self.path})
            self._answer()

    with listening(Webhook) as url:
        yield url, came
