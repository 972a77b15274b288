"""Limits on the connections of a server, in total and per address."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from netops.serving.settings import LimitSettings

#: Maximum pipelined requests started per turn of the event loop, over all connections.
_TURN = 4


class Connection(Protocol):
    """A connection."""

    peer: str
    since: float
    transport: asyncio.Transport

    def is_waiting(self) -> bool:
        """Return whether no request on it is being answered."""
        ...

    def is_half_open(self) -> bool:
        """Return whether a request on it is incomplete, as on a new connection."""
        ...


class Connections:
    """The open connections of one server.

    If there are too many, the longest idle connection is closed, not the newest. A client with incomplete requests
    loses only its own connections.

    Parameters
    ----------
    limits : LimitSettings
        ``connections``, ``connections_per_address``, ``half_open_per_address`` and ``unsent_bytes``.
    """

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._peers: dict[str, dict[Connection, None]] = {}
        self._count = 0
        self._unread: set[Connection] = set()
        self._later: deque[Callable[[], None]] = deque()

    def schedule(self, loop: asyncio.AbstractEventLoop, start: Callable[[], None]) -> None:
        """Start a pipelined request, after the requests of other connections."""
        self._later.append(start)
        if len(self._later) == 1:
            loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(min(_TURN, len(self._later))):
            self._later.popleft()()
        if self._later:
            loop.call_soon(self._turn, loop)

    def add(self, connection: Connection) -> None:
        """Add a connection; close others, or this one, if a limit is exceeded."""
        limits, peer = self._limits, self._peers.setdefault(connection.peer, {})
        peer[connection] = None
        self._count += 1
        if len(peer) > limits.connections_per_address and not self._end_one(peer):
            connection.transport.abort()
        elif self._count >= limits.connections:
            self._end_one({one: None for group in self._peers.values() for one in group if one is not connection})
        self.check(connection)

    def check(self, connection: Connection) -> None:
        """Close the oldest incomplete request of an address with too many."""
        peer = self._peers.get(connection.peer, {})
        if len(peer) <= self._limits.half_open_per_address:
            return
        half = [one for one in peer if one.is_half_open() and not one.transport.is_closing()]
        if len(half) > self._limits.half_open_per_address:
            min(half, key=lambda one: one.since).transport.abort()

    def remove(self, connection: Connection) -> None:
        """Remove a closed connection."""
        self._unread.discard(connection)
        peer = self._peers.get(connection.peer, {})
        if peer.pop(connection, self) is not self:
            self._count -= 1
        if not peer:
            self._peers.pop(connection.peer, None)

    def unread(self, connection: Connection) -> None:
        """Mark a connection as not reading; close the largest one if unread answers use too much memory."""
        self._unread.add(connection)
        sizes = {one: one.transport.get_write_buffer_size() for one in self._unread}
        if sum(sizes.values()) > self._limits.unsent_bytes:
            max(sizes, key=lambda one: sizes[one]).transport.abort()

    def read(self, connection: Connection) -> None:
        """Mark a connection as reading again."""
        self._unread.discard(connection)

    def _end_one(self, candidates: dict[Connection, None]) -> bool:
        waiting = [one for one in candidates if one.is_waiting() and not one.transport.is_closing()]
        if not waiting:
            return False
        min(waiting, key=lambda one: one.since).transport.abort()
        return True
