"""HTTP connections with limits, and a server with a clean shutdown.

uvicorn does not limit request heads, pipelined requests, or answers that are not read. Here a connection is parsed
in small pieces, and parsing pauses while its requests wait or its answers are not read (backpressure).
"""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Literal, cast

from netops.serving.http.asgi import Application, Scope
from netops.serving.http.connections import Connections
from netops.serving.http.joined_writes import JoinedWrites
from netops.serving.settings import LimitSettings

if TYPE_CHECKING:
    import uvicorn
    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from netops.serving.http.fast_path import Direct
    from netops.serving.requests.endpoint import Request

#: Bytes parsed at once: of heads (possibly many requests), and of a body.
_PIECE, _BODY_PIECE = 2048, 65_536
_REASONS = {400: "Bad Request", 414: "URI Too Long", 431: "Request Header Fields Too Large"}


def guarded_protocol(limits: LimitSettings, direct: "Direct | None" = None) -> type[asyncio.Protocol]:
    """Create the connection class of a server, for uvicorn.

    Parameters
    ----------
    limits : LimitSettings
        ``receive_seconds``: time for a complete request since its first byte (the first one: since the connection),
        and for a peer to read part of an answer; ``head_bytes``, ``headers``, ``url_bytes``, ``pipelined``; and
        those of :class:`Connections`.
    direct : Direct, optional
        Answers small requests; the application answers all others.
    """
    import httptools
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    table = Connections(limits)

    class GuardedProtocol(HttpToolsProtocol):
        """An HTTP connection with a timer for incoming requests and one for unread answers."""

        peer = ""
        since = 0.0
        _timer: asyncio.TimerHandle | None = None
        _stuck: asyncio.TimerHandle | None = None
        _in_head = _ended = _is_pipelined = False
        _head = _body = 0
        _refusal = 400, "not HTTP"
        #: A request that is answered without ASGI once its body is complete.
        _direct: "tuple[RequestResponseCycle, Request] | None" = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
            super().connection_made(transport)
            self._writes = JoinedWrites(transport, self.loop)
            self.transport = cast(asyncio.Transport, self._writes)
            self._ahead = bytearray()
            self.peer, self.since = self.client[0] if self.client else "", self.loop.time()
            self._start()
            table.add(self)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            self._ended = True
            self._ahead.clear()
            self.pipeline.clear()
            if self._direct is not None:
                self._direct[0].on_response = lambda: None
                self._direct = None
            if self._stuck is not None:
                self._stuck.cancel()
            table.remove(self)
            super().connection_lost(exc)

        def is_waiting(self) -> bool:
            return self._timer is not None or self.cycle is None or self.cycle.response_complete

        def is_half_open(self) -> bool:
            return self._timer is not None

        # Reading

        def data_received(self, data: bytes) -> None:
            if self._ended:
                return
            if self._ahead or len(data) > _PIECE or self._is_held():
                self._ahead += data
                self._parse_ahead()
            else:
                self._parse(data)
            if self._timer is not None:
                table.check(self)

        def _is_held(self) -> bool:
            return self.flow.write_paused or len(self.pipeline) >= limits.pipelined

        def _parse_ahead(self) -> None:
            while self._ahead and not self._ended and not self._is_held():
                size = min(max(self._expected(), _PIECE), _BODY_PIECE)
                piece = bytes(self._ahead[:size])
                del self._ahead[:size]
                self._parse(piece)
            if self._ahead and not self._ended:
                self.flow.pause_reading()

        def _expected(self) -> int:
            """Return the remaining bytes of the current body, which contain no other request."""
            if self._in_head or self._timer is None or self.scope is None:
                return 0
            length = next((value for name, value in self.headers if name == b"content-length"), b"")
            return int(length) - self._body if length.isdigit() and len(length) < 16 else 0

        def _parse(self, data: bytes) -> None:
            self._unset_keepalive_if_required()
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade:
                self._ahead.clear()  # upgrades are not supported: the request is answered normally
            except httptools.HttpParserError:
                self._refuse(*self._refusal)
                return
            if self._in_head:
                self._head += len(data)
                if self._head > limits.head_bytes:
                    self._refuse(431, f"the head is longer than {limits.head_bytes} bytes")

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._in_head, self._head, self._body = True, 0, 0
            if self._timer is None:
                self._start()

        def on_url(self, url: bytes) -> None:
            super().on_url(url)
            if len(self.url) > limits.url_bytes:
                self._fail(414, f"the address is longer than {limits.url_bytes} bytes")

        def on_header(self, name: bytes, value: bytes) -> None:
            super().on_header(name, value)
            if len(self.headers) > limits.headers:
                self._fail(431, f"more than {limits.headers} headers")

        def on_headers_complete(self) -> None:
            self._in_head = False
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._body += len(body)
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._stop()
            super().on_message_complete()
            if self._direct is not None:
                (cycle, request), self._direct = self._direct, None
                task = self.loop.create_task(self._answer(cycle, request))
                task.add_done_callback(self.tasks.discard)
                self.tasks.add(task)

        def _fail(self, status: int, message: str) -> None:
            self._refusal = status, message
            raise ValueError(message)  # out of the parser

        def _refuse(self, status: int, message: str) -> None:
            """Answer with an error and close the connection; if other answers are pending, only close it."""
            self._ended = True
            self._ahead.clear()
            if self.pipeline or not (self.cycle is None or self.cycle.response_complete):
                self.transport.abort()
                return
            body = f'{{"error": "{message}"}}'.encode()
            head = (
                f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\n"
                f"x-content-type-options: nosniff\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
            self.transport.close()

        # Writing

        def on_response_complete(self) -> None:
            self.since = self.loop.time()
            self._is_pipelined = True
            super().on_response_complete()
            self._is_pipelined = False
            if self._ahead:
                self._parse_ahead()

        def _start_asgi_task(self, cycle: "RequestResponseCycle", app: "ASGI3Application") -> None:
            if self._is_pipelined:
                table.schedule(self.loop, lambda: self._begin(cycle, app))
                return
            request = None
            if direct is not None and app is self.app and not self.expect_100_continue:
                request = direct.request(cast(Scope, cycle.scope))
            if request is None:
                super()._start_asgi_task(cycle, app)
            else:
                self._direct = cycle, request

        async def _answer(self, cycle: "RequestResponseCycle", request: "Request") -> None:
            """Answer a request without ASGI, and complete its cycle."""
            assert direct is not None
            request.body, cycle.body = bytes(cycle.body), bytearray()
            try:
                status, body = await direct.answer(cast(Scope, cycle.scope), request)
                if self.flow.write_paused and not cycle.disconnected:
                    await self.flow.drain()
                if cycle.disconnected:
                    return
                cycle.response_started = cycle.response_complete = True
                self._writes.write_answer(direct.head(status, len(body), not cycle.keep_alive), body)
                if not cycle.keep_alive:
                    self.transport.close()
                cycle.on_response()
            except BaseException as error:  # as of an application: the connection must not hang
                self.logger.error("Exception in an answer\n", exc_info=error)
                if cycle.response_started:
                    self.transport.close()
                else:
                    await cycle.send_500_response()
            finally:
                cycle.on_response = lambda: None  # or it refers to the connection, and this to it

        def shutdown(self) -> None:
            if self._direct is not None:  # a task waits for its body, and is canceled if that takes too long
                (cycle, _), self._direct = self._direct, None
                super()._start_asgi_task(cycle, self.app)
            super().shutdown()

        def _begin(self, cycle: "RequestResponseCycle", app: "ASGI3Application") -> None:
            if not self.transport.is_closing():
                super()._start_asgi_task(cycle, app)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._watch(self.transport.get_write_buffer_size())
            table.unread(self)

        def resume_writing(self) -> None:
            super().resume_writing()
            table.read(self)
            if self._stuck is not None:
                self._stuck.cancel()
                self._stuck = None
            if self._ahead:
                self._parse_ahead()
            if not self._ahead and not self.pipeline and not self._ended:
                self.flow.resume_reading()  # the rest of a request whose begin was held

        def _watch(self, unsent: int) -> None:
            self._stuck = self.loop.call_later(limits.receive_seconds, self._check_progress, unsent)

        def _check_progress(self, before: int) -> None:
            unsent = self.transport.get_write_buffer_size()
            if unsent < before:
                self._watch(unsent)
            else:
                self.transport.abort()

        # Time

        def _start(self) -> None:
            self.since = self.loop.time()
            self._timer = self.loop.call_later(limits.receive_seconds, self._expire)

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _expire(self) -> None:
            self._timer = None
            if self.transport is not None and not self.transport.is_closing():
                self.transport.abort()

    return GuardedProtocol


def guarded(
    app: Application,
    limits: LimitSettings,
    *,
    timeout_graceful_shutdown: int,
    lifespan: Literal["auto", "off"] = "auto",
    direct: "Direct | None" = None,
) -> "uvicorn.Config":
    """Return the uvicorn configuration of an application, with limits on its connections.

    ``direct`` answers small requests instead of the application.
    """
    import uvicorn

    return uvicorn.Config(
        app,
        http=guarded_protocol(limits, direct),
        log_level="error",
        access_log=False,
        limit_concurrency=limits.connections + 1,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        lifespan=lifespan,
        timeout_graceful_shutdown=timeout_graceful_shutdown,
    )


def guarded_server(
    config: "uvicorn.Config", ending: Callable[[], Awaitable[None]] | None = None
) -> "uvicorn.Server":
    """Return a uvicorn server that completes active requests on shutdown and exits with success.

    Parameters
    ----------
    config : uvicorn.Config
        Configuration of the server.
    ending : callable, optional
        Awaited first on shutdown, to end streaming answers.
    """
    import uvicorn

    class GuardedServer(uvicorn.Server):
        """A uvicorn server that does not raise the signal again at the end."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            if threading.current_thread() is not threading.main_thread():
                yield
                return
            before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if ending is not None:
                await ending()
            await super().shutdown(sockets)

    return GuardedServer(config)
