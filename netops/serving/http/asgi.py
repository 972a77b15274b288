"""ASGI as this package uses it: the types of HTTP requests, and answers without a web framework."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Required, TypeAlias, TypedDict

__all__ = ["JSON", "Application", "Headers", "Message", "Receive", "Scope", "Send", "respond"]

#: The content type of answers.
JSON = b"application/json"

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]


class Scope(TypedDict):
    """A request; the scope of a server's life (``type`` lifespan) has its type alone."""

    type: str
    method: str
    path: str
    headers: Headers


class Message(TypedDict, total=False):
    """A part of a request or of an answer."""

    type: Required[str]
    status: int
    headers: Headers
    body: bytes
    more_body: bool


Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


async def respond(send: Send, status: int, body: bytes, headers: Headers = ()) -> None:
    """Send a JSON answer, and further headers."""
    length = (b"content-length", str(len(body)).encode())
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-type", JSON), length, *headers]}
    )
    await send({"type": "http.response.body", "body": body})
