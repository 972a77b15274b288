"""Sends the head of an answer together with its body: one system call and one packet instead of two."""

import asyncio

_HEAD = b"HTTP/1.1 "


class JoinedWrites:
    """A transport in front of that of a connection.

    The head of an answer, which uvicorn writes by itself, is held until the next write, but not beyond this turn of
    the event loop.

    Parameters
    ----------
    transport : asyncio.Transport
        The transport of the connection.
    loop : asyncio.AbstractEventLoop
        Its event loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Write a head with what follows it, anything else at once."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def write_answer(self, head: bytes, body: bytes) -> None:
        """Write a whole answer."""
        self._flush()
        self._transport.write(head + body)

    def close(self) -> None:
        """Close the connection once everything is sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            if not self._transport.is_closing():
                self._transport.write(head)

    def __getattr__(self, name: str) -> object:
        """Return any other attribute of the transport."""
        return getattr(self._transport, name)
