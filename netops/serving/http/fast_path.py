"""A fast path for the busiest endpoints, which bypasses the web framework.

It handles requests of a known length; all others go to the application, which gives the same answers.
"""

from collections.abc import Awaitable, Callable

from netops.serving.http.asgi import Application, Receive, Scope, Send, respond
from netops.serving.requests import registry
from netops.serving.requests.dispatch import Dispatcher
from netops.serving.requests.endpoint import Request


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
        path = scope.get("path", "")
        if path not in self._endpoints or scope["type"] != "http" or scope["method"] != self._endpoints[path]:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or len(length) > 12:
            await self._app(scope, receive, send)
            return
        request = Request(
            scope["method"],
            path,
            content_type=headers.get(b"content-type", b"").decode("latin-1"),
            authorization=headers.get(b"authorization", b""),
            length=int(length),
        )
        reply = await self._dispatcher.answer(request, _body_of(receive))
        await respond(send, reply.status, reply.encoded())


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
