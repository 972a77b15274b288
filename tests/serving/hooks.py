"""Receivers of alerts: real HTTP servers that take, refuse, fail, redirect, answer nonsense or hang."""

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.servers import LocalServer

#: An answer: status, headers, body; or raw bytes in place of HTTP; None closes the connection without a word.
Answer = tuple[int, dict[str, str], bytes] | bytes | None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def until(condition: Callable[[], Any], seconds: float = 20.0, pause: float = 0.02) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(pause)


def status(code: int, text: bytes = b"", **headers: str) -> Answer:
    return code, {name.replace("_", "-"): value for name, value in headers.items()}, text


class Hook:
    """Takes posts; ``answer`` decides by the body and by how often that very body came.

    Attributes
    ----------
    taken : list
        Bodies that were answered 2xx.
    seen : list
        All of them, with their methods and times.
    """

    def __init__(self, answer: Callable[[Any, int], Answer] = lambda *_: status(200), port: int = 0) -> None:
        self.answer, self.taken, self.seen = answer, [], []
        self._lock, self._times = threading.Lock(), {}
        hook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                hook._handle(self)

            def do_GET(self) -> None:
                hook._handle(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = LocalServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        raw = request.rfile.read(length)
        if len(raw) < length:  # the sender was killed meanwhile
            request.close_connection = True
            return
        body = json.loads(raw) if raw else None
        with self._lock:
            times = self._times[raw] = self._times.get(raw, 0) + 1
            self.seen.append((request.command, body, time.monotonic()))
        found = self.answer(body, times)
        if found is None or isinstance(found, bytes):
            request.close_connection = True
            if found:
                request.wfile.write(found)
            return
        code, headers, text = found
        if 200 <= code < 300:
            with self._lock:
                self.taken.append(body)
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    def ids(self) -> list[tuple[str, str]]:
        """Event and id of each alert that a webhook took."""
        return [(body["event"], body["alert"]["id"]) for body in self.taken]

    def __enter__(self) -> "Hook":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
