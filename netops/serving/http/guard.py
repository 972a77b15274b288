"""Protection of the server and the dashboard from requests by foreign web pages.

Any web page in a browser on this machine can send requests. A request is therefore rejected if its ``Host`` is not
this machine (DNS rebinding), or if the browser reports that it comes from another origin. Other programs do not
send these headers and are not affected.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from netops.serving.http.asgi import Application, Headers, Message, Receive, Scope, Send, respond
from netops.serving.requests.access import LOCAL

#: Default headers of all answers.
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_READING = ("GET", "HEAD", "OPTIONS")


class Guard:
    """An ASGI application in front of another.

    Parameters
    ----------
    app : ASGI application
        The wrapped application.
    local : bool
        Whether the server is local: then ``Host`` must name this machine.
    hosts : sequence of str
        Further accepted host names, such as that of a proxy.
    headers : sequence of (bytes, bytes)
        Default headers of all answers.

    Attributes
    ----------
    headers : tuple of (bytes, bytes)
    """

    def __init__(
        self,
        app: Application,
        local: bool,
        hosts: Sequence[str] = (),
        headers: Sequence[tuple[bytes, bytes]] = HEADERS,
    ) -> None:
        self._app, self.headers = app, tuple(headers)
        self._names = frozenset(name for name, _ in headers)
        self._hosts = frozenset(name.lower() for name in (*LOCAL, *hosts)) if local else None
        self._known: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request and forward it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._complete(message.get("headers", ()))
            await send(message)

        refusal = self.refusal(scope)
        if refusal is not None:
            status, message = refusal
            await respond(guarded, status, msgspec.json.encode({"error": message}))
            return
        if scope["method"] == "HEAD":
            # Answered as GET; the HTTP protocol omits the body.
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, guarded)

    def _complete(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        found = list(headers)
        present = {name.lower() for name, _ in found} & self._names
        found += [pair for pair in self.headers if pair[0] not in present] if present else self.headers
        return found

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and message for a request that is not answered; None for others."""
        host: bytes | None = None  # old probes send none; browsers always send it
        origin = site = mode = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"origin":
                origin = value
            elif name == b"sec-fetch-site":
                site = value
            elif name == b"sec-fetch-mode":
                mode = value
        if self._hosts is not None and host is not None and not self._is_own(host):
            return (
                400,
                "the Host header names another machine; open it as http://127.0.0.1, or list the name in hosts",
            )
        if origin and _netloc(origin) != (host or b"").lower():
            return 403, "a web page from elsewhere may not send this"
        if site in (b"cross-site", b"same-site") and not (mode == b"navigate" and scope["method"] in _READING):
            return 403, "requests from web pages of another origin are not allowed"
        return None

    def _is_own(self, host: bytes) -> bool:
        if host in self._known:
            return True
        try:
            name = urlsplit(f"//{host.decode('latin-1')}").hostname
        except ValueError:
            return False
        if name is None or self._hosts is None or name not in self._hosts:
            return False
        if len(self._known) < 64:
            self._known.add(host)
        return True


def _netloc(origin: bytes) -> bytes:
    try:
        return urlsplit(origin.decode("latin-1").lower()).netloc.encode("latin-1")
    except ValueError:
        return b""
