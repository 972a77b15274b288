"""Fast paths for the busiest endpoints: past the web framework, and for small requests past ASGI, too.

They handle requests of a known length; all others go to the application, which gives the same answers.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec

from netops.serving.http.asgi import JSON, Application, Receive, Scope, Send, respond
from netops.serving.http.guard import Guard
from netops.serving.requests import registry
from netops.serving.requests.dispatch import Dispatcher
from netops.serving.requests.endpoint import Request

#: Bytes of a body up to which a request is read completely before it is answered.
_SMALL = 65_536
_FIRST_LINES = {
    int(status): b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\n" % (status, status.phrase.encode(), JSON)
    for status in HTTPStatus
}


class FastPath:
    """An ASGI application in front of another.

    Parameters
    ----------
    app : ASGI application
        The application for all other requests.
    dispatcher : Dispatcher
        Answers the requests.
    """

    def __init__(self, app: Application, dispatcher: Dispatcher) -> None:
        self._app, self._dispatcher = app, dispatcher
        self._endpoints = {each.path: each.method for each in registry.ENDPOINTS if each.is_fast}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = self.request(scope)
        if request is None:
            await self._app(scope, receive, send)
            return
        reply = await self._dispatcher.answer(request, _body_of(receive))
        await respond(send, reply.status, reply.encoded())

    def request(self, scope: Scope) -> Request | None:
        """Return the request without its body; None if it is for the application."""
        path = scope.get("path", "")
        if path not in self._endpoints or scope["type"] != "http" or scope["method"] != self._endpoints[path]:
            return None
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or len(length) > 12:
            return None
        return Request(
            scope["method"],
            path,
            content_type=headers.get(b"content-type", b"").decode("latin-1"),
            authorization=headers.get(b"authorization", b""),
            length=int(length),
        )

    async def answer(self, request: Request) -> tuple[int, bytes]:
        """Answer a request with its body; return status and body."""
        reply = await self._dispatcher.answer(request)
        return reply.status, reply.encoded()


class Direct:
    """Answers small requests of a connection without ASGI.

    Parameters
    ----------
    fast_path : FastPath
    guard : Guard
        Refuses requests, and has headers for all answers, as in front of the application.
    """

    def __init__(self, fast_path: FastPath, guard: Guard) -> None:
        self._fast_path, self._guard = fast_path, guard
        self._headers = b"".join(b"%b: %b\r\n" % pair for pair in guard.headers)

    def request(self, scope: Scope) -> Request | None:
        """Return the request without its body; None if it is not answered here."""
        request = self._fast_path.request(scope)
        return request if request is not None and request.length <= _SMALL else None

    async def answer(self, scope: Scope, request: Request) -> tuple[int, bytes]:
        """Answer a request with its body; return status and body."""
        if (refusal := self._guard.refusal(scope)) is not None:
            status, message = refusal
            return status, msgspec.json.encode({"error": message})
        return await self._fast_path.answer(request)

    def head(self, status: int, length: int, is_last: bool) -> bytes:
        """Return the head of an answer: status, bytes of the body, and whether the connection ends."""
        last = b"connection: close\r\n" if is_last else b""
        return b"%bcontent-length: %d\r\n%b%b\r\n" % (_FIRST_LINES[status], length, self._headers, last)


def _body_of(receive: Receive) -> Callable[[], Awaitable[bytes]]:
    async def read() -> bytes:
        message = await receive()
        parts = [message.get("body", b"")]
        while message["type"] == "http.request" and message.get("more_body"):
            message = await receive()
            parts.append(message.get("body", b""))
        if message["type"] != "http.request":
            raise ConnectionError("the client disconnected")
        return b"".join(parts) if len(parts) > 1 else bytes(parts[0])

    return read
