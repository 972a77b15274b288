"""Who holds the connections of a server: limits for all of them together, and for each address."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from netops.serving.settings import LimitSettings

#: Requests sent ahead that are begun in one turn of the event loop, of all connections together.
_TURN = 4


class Connection(Protocol):
    """What is known of one connection."""

    peer: str
    since: float
    transport: Any

    def is_waiting(self) -> bool:
        """Tell whether no request on it is being answered."""
        ...

    def is_half_open(self) -> bool:
        """Tell whether a request on it has not come in completely; a new connection's first one has not."""
        ...


class Connections:
    """The open connections of one server.

    Where there are too many, the one that has waited longest is ended, not the one that has just come: a client
    that leaves its requests half done loses its own connections only.

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

    def follow(self, loop: asyncio.AbstractEventLoop, start: Callable[[], None]) -> None:
        """Begin a request that was sent ahead of earlier answers; those that wait for theirs come first."""
        self._later.append(start)
        if len(self._later) == 1:
            loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(min(_TURN, len(self._later))):
            self._later.popleft()()
        if self._later:
            loop.call_soon(self._turn, loop)

    def add(self, connection: Connection) -> None:
        """Take a connection in, and end others, or this one, where a limit is passed."""
        limits, peer = self._limits, self._peers.setdefault(connection.peer, {})
        peer[connection] = None
        self._count += 1
        if len(peer) > limits.connections_per_address and not self._end_one(peer):
            connection.transport.abort()
        elif self._count >= limits.connections:
            self._end_one({one: None for held in self._peers.values() for one in held if one is not connection})
        self.check(connection)

    def check(self, connection: Connection) -> None:
        """End the oldest half-open request of an address that has too many."""
        peer = self._peers.get(connection.peer, {})
        if len(peer) <= self._limits.half_open_per_address:
            return
        half = [one for one in peer if one.is_half_open() and not one.transport.is_closing()]
        if len(half) > self._limits.half_open_per_address:
            min(half, key=lambda one: one.since).transport.abort()

    def remove(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self._unread.discard(connection)
        peer = self._peers.get(connection.peer, {})
        if peer.pop(connection, self) is not self:
            self._count -= 1
        if not peer:
            self._peers.pop(connection.peer, None)

    def unread(self, connection: Connection) -> None:
        """Note that answers on a connection are not being read; end the worst where they take too much memory."""
        self._unread.add(connection)
        sizes = {one: one.transport.get_write_buffer_size() for one in self._unread}
        if sum(sizes.values()) > self._limits.unsent_bytes:
            max(sizes, key=lambda one: sizes[one]).transport.abort()

    def read(self, connection: Connection) -> None:
        """Note that answers are being read again."""
        self._unread.discard(connection)

    def _end_one(self, candidates: dict[Connection, None]) -> bool:
        waiting = [one for one in candidates if one.is_waiting() and not one.transport.is_closing()]
        if not waiting:
            return False
        min(waiting, key=lambda one: one.since).transport.abort()
        return True
