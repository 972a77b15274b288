"""Connections of syslog over TCP."""

import asyncio
from typing import Protocol, cast

from netops.serving.syslog.address import Senders
from netops.serving.syslog.feeder import Feeder, Line
from netops.serving.syslog.framing import Framer, to_text
from netops.serving.syslog.metrics import TCP, SyslogMetrics

#: Bytes of a connection that wait: from the first number on it is not read, from the second it is read again.
_HIGH, _LOW = 262_144, 65_536


class Limits(Protocol):
    """The limits of connections (``settings.LimitSettings``)."""

    @property
    def syslog_connections(self) -> int:
        """Maximum number of connections."""

    @property
    def syslog_line_seconds(self) -> float:
        """Maximum time for a line to be complete."""

    @property
    def syslog_idle_seconds(self) -> float:
        """Time without data after which a connection is closed."""


class Connections:
    """The open connections of a listener.

    Parameters
    ----------
    limits : Limits
    longest : int
        Maximum length of a line in bytes.
    senders : Senders
    feeder : Feeder
    metrics : SyslogMetrics
    """

    def __init__(
        self, limits: Limits, longest: int, senders: Senders, feeder: Feeder, metrics: SyslogMetrics
    ) -> None:
        self.limits, self.longest, self.senders = limits, longest, senders
        self.feeder, self.metrics = feeder, metrics
        self._open: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: "Connection") -> None:
        """Add a connection; if there are too many, close the one that is idle for longest."""
        if len(self._open) >= self.limits.syslog_connections:
            self._end(min(self._open, key=lambda one: one.since))
        self._open[connection] = None
        self.metrics.connections.set(len(self._open))

    def remove(self, connection: "Connection") -> None:
        """Remove a closed connection."""
        self._open.pop(connection, None)
        self.metrics.connections.set(len(self._open))

    def sweep(self, now: float) -> None:
        """Close connections that are idle, or whose line is not completed."""
        for connection in list(self._open):
            if connection.is_overdue(now):
                self._end(connection)

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._open):
            connection.close()

    def _end(self, connection: "Connection") -> None:
        self.metrics.closed.inc()
        self.remove(connection)
        connection.close()


class Connection(asyncio.Protocol):
    """A connection: its bytes wait until the feeder takes their lines."""

    def __init__(self, connections: Connections) -> None:
        self._all, self._framer = connections, Framer(connections.longest)
        self._loop = asyncio.get_running_loop()
        self.since = self._line_since = self._loop.time()
        self._peer = ""
        self._is_paused = self._has_ended = False
        self._is_complete = True  # a last line without an end
        self._counters = connections.metrics.lines[TCP], connections.metrics.bytes[TCP]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or close it."""
        self._transport = cast(asyncio.Transport, transport)
        peer = self._all.senders.name(self._transport.get_extra_info("peername")[0])
        if peer is None:
            self._all.metrics.refused[TCP].inc()
            self._transport.abort()
            return
        self._peer = peer
        self._all.add(self)

    def data_received(self, data: bytes) -> None:
        """Add bytes."""
        if not self._peer or self._has_ended:
            return
        self.since = self._loop.time()
        if not self._framer.size:
            self._line_since = self.since
        self._counters[1].inc(len(data))
        self._framer.feed(data)
        if self._framer.size > _HIGH and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._all.feeder.schedule(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Process what is there."""
        self._all.remove(self)
        self._end()

    def close(self) -> None:
        """Process what is there, and close the connection."""
        self._is_complete = False
        self._end()
        self._transport.close()

    def is_overdue(self, now: float) -> bool:
        """Return whether the connection is idle, or the line that it is sending takes too long."""
        if self._is_paused:  # then the server is slow, not the sender
            return False
        limits = self._all.limits
        is_slow = self._framer.size > 0 and now - self._line_since > limits.syslog_line_seconds
        return is_slow or now - self.since > limits.syslog_idle_seconds

    def take(self, limit: int) -> tuple[list[Line], bool]:
        """Return the next lines, and whether there are more."""
        before = self._framer.cut
        messages = self._framer.take(limit)
        has_more = len(messages) == limit
        if messages:
            self._line_since = self._loop.time()
        if self._has_ended and not has_more:
            messages += self._framer.finish(self._is_complete)
        self._all.metrics.cut.inc(self._framer.cut - before)
        self._resume(has_more)
        lines = [(line, self._peer) for line in map(to_text, messages) if line]
        self._counters[0].inc(len(lines))
        return lines, has_more

    def _resume(self, has_more: bool) -> None:
        # A line that is longer than the limit of the buffer is never complete unless more is read.
        if self._is_paused and (not has_more or self._framer.size < _LOW) and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def _end(self) -> None:
        if self._peer and not self._has_ended:
            self._has_ended = True
            self._all.feeder.schedule(self)
