"""A frames service in memory, over HTTP and gRPC: it decodes the frames that the real client sends, and keeps them.

It shows that addresses, tables, indices, labels, types and nulls go over the wire and back as meant. It is no v3io:
time resolution, schema inference, aggregation and access rights of the platform are not in it.
"""

import json
import struct
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import grpc
import v3io_frames
from v3io_frames import frames_pb2 as fpb
from v3io_frames import frames_pb2_grpc as fgrpc

from tests.servers import LocalServer


class Tables:
    """What has been created, written and asked."""

    def __init__(self) -> None:
        self.frames: dict[tuple[str, str, str], list[Any]] = {}
        self.writes: list[Any] = []
        self.reads: list[dict[str, Any]] = []
        self.created: list[dict[str, Any]] = []
        self.fail = ""

    def write(self, request: Any, frames: Iterable[Any]) -> tuple[int, int]:
        key = (request.backend, request.session.container, request.table)
        received = list(frames)
        self.writes.append(request)
        self.frames.setdefault(key, []).extend(received)
        return len(received), sum(len(frame.columns[0].floats) for frame in received)

    def read(self, asked: dict[str, Any]) -> list[Any]:
        self.reads.append(asked)
        if self.fail:
            return [fpb.Frame(error=self.fail)]
        return self.frames.get((asked["backend"], asked["session"]["container"], asked["table"]), [])


def _session(session: Any) -> dict[str, str]:
    return {"container": session.container, "token": session.token}


class _Servicer(fgrpc.FramesServicer):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def Version(self, request: Any, context: Any) -> Any:
        return fpb.VersionResponse(version=v3io_frames.__version__)

    def Create(self, request: Any, context: Any) -> Any:
        self._tables.created.append({"table": request.table, "rate": request.rate, "if_exists": request.if_exists})
        return fpb.CreateResponse()

    def Write(self, requests: Any, context: Any) -> Any:
        first = next(requests).request
        frames, rows = self._tables.write(first, (request.frame for request in requests))
        return fpb.WriteRespose(frames=frames, rows=rows)

    def Read(self, request: Any, context: Any) -> Any:
        if self._tables.fail == "denied":
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no access\nto the table")
        asked = {"backend": request.backend, "table": request.table, "start": request.start, "end": request.end}
        yield from self._tables.read(asked | {"session": _session(request.session)})


@contextmanager
def grpc_service(tables: Tables) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    fgrpc.add_FramesServicer_to_server(_Servicer(tables), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


@contextmanager
def http_service(tables: Tables) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self._chunks() if "chunked" in self.headers.get("Transfer-Encoding", "") else self._body()
            getattr(self, self.path.strip("/"))(body)

        def version(self, body: bytes) -> None:
            self._answer(json.dumps({"version": v3io_frames.__version__}).encode())

        def create(self, body: bytes) -> None:
            tables.created.append(json.loads(body))
            self._answer(b"{}")

        def write(self, body: bytes) -> None:
            first, *frames = _messages(body)
            count, rows = tables.write(
                fpb.InitialWriteRequest.FromString(first), [fpb.Frame.FromString(frame) for frame in frames]
            )
            self._answer(json.dumps({"num_frames": count, "num_rows": rows}).encode())

        def read(self, body: bytes) -> None:
            frames = [frame.SerializeToString() for frame in tables.read(json.loads(body))]
            self._answer(b"".join(struct.pack("<q", len(frame)) + frame for frame in frames))

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _chunks(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline().strip(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = LocalServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _messages(body: bytes) -> list[bytes]:
    messages, index = [], 0
    while index < len(body):
        (size,) = struct.unpack_from("<q", body, index)
        messages.append(body[index + 8 : index + 8 + size])
        index += 8 + size
    return messages
