"""Hostile requests: how long each keeps everybody else waiting, and what it costs in memory.

A thread asks for /healthz over connections of its own all the time; beside it each attack is sent once. Requests
are of 1 MB or less, but for those that are sent ahead over 63 connections.
"""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

import cramjam
import httpx
import psutil

from .report import report
from .serving import METRICS, make_model, server

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
_START = 1_700_000_000


class Watch:
    """Asks for /healthz again and again; keeps the longest time it took."""

    def __init__(self, port: int) -> None:
        self._port, self._ending, self.worst = port, False, 0.0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._thread.join()

    def _run(self) -> None:
        while not self._ending:
            since = perf_counter()
            with socket.create_connection(("127.0.0.1", self._port)) as connection:
                connection.sendall(GET)
                connection.recv(1000)
            self.worst = max(self.worst, perf_counter() - since)
            sleep(0.005)


def _sample(second: float, **more: object) -> dict[str, object]:
    return {"timestamp": _START + second, "device": "a", **dict.fromkeys(METRICS, 0.1), **more}


def _posts() -> dict[str, tuple[str, bytes, str]]:
    """The attacks that are one request: path, body, content type."""
    infer = "/v2/models/netops/infer"
    late = [_sample(4000 - row / 1e3) for row in range(7000)]
    return {
        "remote write of empty fields": (
            "/api/v1/write",
            bytes(cramjam.snappy.compress_raw(b"\x0a\x00" * 4_000_000)),
            "application/x-protobuf",
        ),
        "late samples": ("/telemetry", json.dumps(late, separators=(",", ":")).encode(), ""),
        "malformed samples": ("/telemetry", b"[" + b"1," * 9_999 + b"1]", ""),
        "a list that is too long": ("/telemetry", b"[" + b"1," * 499_000 + b"1]", ""),
        "nested": ("/telemetry", b"[" * 900_000, ""),
        "vectors without features": (infer, b'{"inputs": [' + b"[]," * 333_000 + b"[]]}", ""),
        "one endless vector": (infer, b'{"inputs": [[' + b"1," * 490_000 + b"1]]}", ""),
        "incidents": ("/incidents", b"[" + b'{"device":"a","start":1},' * 39_000 + b"{}]", ""),
    }


def _flood(port: int, data: bytes, connections: int, seconds: float) -> None:
    """Send over many connections at once, and read nothing."""
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(connections)]
        indices = dict.fromkeys(opened, 0)
        end = perf_counter() + seconds
        for connection in opened:
            connection.setblocking(False)
        while perf_counter() < end:
            for connection, index in list(indices.items()):
                try:
                    indices[connection] += connection.send(data[index : index + 65_536])
                except BlockingIOError:
                    continue
                except OSError:
                    del indices[connection]
            sleep(0.005)


def main() -> None:
    """Measure each attack."""
    with (
        TemporaryDirectory() as folder,
        server("ours", make_model(Path(folder) / "m"), Path(folder) / "s") as served,
    ):
        port = int(served.url.rsplit(":", 1)[1])
        memory = psutil.Process(served.pid).memory_info
        httpx.post(served.url + "/telemetry", json=[_sample(second) for second in range(0, 4005, 5)], timeout=60)
        attacks: dict[str, Callable[[], object]] = {
            name: lambda path=path, body=body, kind=kind: httpx.post(  # type: ignore[misc]
                served.url + path, content=body, headers={"content-type": kind} if kind else {}, timeout=120
            )
            for name, (path, body, kind) in _posts().items()
        }
        attacks["requests sent ahead, answers unread"] = lambda: _flood(port, GET * 200_000, 63, 5)
        attacks["endless heads"] = lambda: _flood(port, b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 160_000, 63, 3)
        attacks["half requests"] = lambda: _flood(port, b"GET / HT", 63, 3)
        for name, attack in attacks.items():
            before = memory().rss
            with Watch(port) as watch:
                since = perf_counter()
                attack()
                seconds = perf_counter() - since
                sleep(0.2)
            report(
                f"serving_stalls: {name}",
                1 / seconds,
                worst_ms=watch.worst * 1e3,
                grown_mb=(memory().rss - before) / 1e6,
            )


if __name__ == "__main__":
    main()
