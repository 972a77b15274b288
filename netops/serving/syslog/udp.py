"""Datagrams of syslog over UDP."""

import asyncio
import socket
import struct
import sys
from collections import deque

from netops.serving.syslog.address import Senders
from netops.serving.syslog.feeder import Feeder, Line
from netops.serving.syslog.framing import split_datagram, to_text
from netops.serving.syslog.metrics import UDP, SyslogMetrics

#: Datagrams that are read per turn of the event loop.
_TURN = 100
#: Characters that wait: from the first number on no datagram is read, from the second on they are read again.
_HIGH, _LOW = 1 << 20, 1 << 18
#: What a line takes in addition to its characters.
_LINE = 200
_LARGEST = 65_536
_CONTROL = 64
#: Linux sends the number of datagrams that it dropped along with the next one; Python has no name for the option.
_OVERFLOW = 40
_COUNT = struct.Struct("I")


class Receiver:
    """Reads datagrams while the lines that wait are not too many; meanwhile the system stores, then drops them.

    Parameters
    ----------
    udp : socket
        Bound and not blocking.
    longest : int
        Maximum length of a line in bytes.
    senders : Senders
    feeder : Feeder
    metrics : SyslogMetrics
    """

    def __init__(
        self, udp: socket.socket, longest: int, senders: Senders, feeder: Feeder, metrics: SyslogMetrics
    ) -> None:
        self._socket, self._longest, self._senders = udp, longest, senders
        self._feeder, self._metrics = feeder, metrics
        self._counters = metrics.lines[UDP], metrics.bytes[UDP]
        self._lines: deque[Line] = deque()
        self._is_started = self._is_reading = False
        self._size = self._dropped = 0
        if sys.platform == "linux":
            udp.setsockopt(socket.SOL_SOCKET, _OVERFLOW, 1)

    def start(self) -> None:
        """Read datagrams."""
        self._is_started = True
        self._resume()

    def stop(self) -> None:
        """Stop reading; lines that wait can still be taken."""
        self._is_started = False
        self._pause()

    def _resume(self) -> None:
        if self._is_started and not self._is_reading:
            self._is_reading = True
            asyncio.get_running_loop().add_reader(self._socket, self.read)

    def _pause(self) -> None:
        if self._is_reading:
            self._is_reading = False
            asyncio.get_running_loop().remove_reader(self._socket)

    def read(self) -> None:
        """Read some datagrams."""
        for _ in range(_TURN):
            try:
                data, more, _, sender = self._socket.recvmsg(_LARGEST, _CONTROL)
            except OSError:  # none waits
                return
            if more:
                self._count_dropped(more[0][2])
            self._add(data, sender[0])

    def take(self, limit: int) -> tuple[list[Line], bool]:
        """Return the next lines, and whether there are more."""
        lines = [self._lines.popleft() for _ in range(min(limit, len(self._lines)))]
        self._size -= _size_of(lines)
        if self._size < _LOW:
            self._resume()
        return lines, bool(self._lines)

    def _add(self, data: bytes, host: str) -> None:
        peer = self._senders.name(host)
        if peer is None:
            self._metrics.refused[UDP].inc()
            return
        self._counters[1].inc(len(data))
        messages = split_datagram(data)
        self._metrics.cut.inc(sum(len(message) > self._longest for message in messages))
        lines = [(line, peer) for message in messages if (line := to_text(message[: self._longest]))]
        self._counters[0].inc(len(lines))
        self._lines += lines
        self._size += _size_of(lines)
        if self._size > _HIGH:
            self._pause()
        self._feeder.schedule(self)

    def _count_dropped(self, data: bytes) -> None:
        """Count what was dropped since the last time; the system's number has 32 bits."""
        (total,) = _COUNT.unpack(data[: _COUNT.size])
        self._metrics.dropped.inc((total - self._dropped) % (1 << 32))
        self._dropped = total


def _size_of(lines: list[Line]) -> int:
    return sum(len(line) + _LINE for line, _ in lines)
