"""A fast path for the two busiest endpoints, which bypasses the web framework.

It handles POST requests with a known length within the limit and, if required, the right token. All other requests
go to the application, which gives the same answers and provides the OpenAPI schema.
"""

from netops.serving.http.asgi import Application, Receive, Scope, Send, respond
from netops.serving.mlrun.service import Service
from netops.serving.requests.access import carries
from netops.serving.requests.dispatch import answer, replied
from netops.serving.requests.endpoints import INFER, TELEMETRY


class FastPath:
    """An ASGI application in front of another.

    Parameters
    ----------
    app : ASGI application
        The application for all other requests.
    service : Service
        The service of the fast path.
    token : str or None
        The required bearer token.
    """

    def __init__(self, app: Application, service: Service, token: str | None) -> None:
        self._app, self._service = app, service
        self._token = token
        self._limit = service.runtime.settings.limits.body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope.get("path", "")
        if path not in (TELEMETRY, INFER) or scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if not self._is_supported(headers):
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is not None:
            content_type = headers.get(b"content-type", b"").decode("latin-1")
            reply = await replied(answer(self._service, "POST", path, body, content_type))
            await respond(send, reply.status, reply.encoded())

    def _is_supported(self, headers: dict[bytes, bytes]) -> bool:
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or len(length) > 12 or int(length) > self._limit:
            return False
        return self._token is None or carries(headers.get(b"authorization", b""), self._token)


async def _body(receive: Receive) -> bytes | None:
    """Read a body; None if the client disconnected."""
    message = await receive()
    if message["type"] != "http.request":
        return None
    if not message.get("more_body"):
        return bytes(message.get("body", b""))
    parts = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
    return b"".join(parts)
