"""Messages in a stream of syslog over TCP (RFC 6587): octet counting or lines, detected for each message."""

import re

#: Octet counting: the length of the message, and its first character, which is the one of ``<PRI>``. Lines of
#: devices may begin with a number, too, but no ``<`` follows.
_COUNT = re.compile(rb"([1-9]\d{0,6}) <")
_MAY_BE_COUNT = re.compile(rb"[1-9]\d{0,6} ?\Z")
_HEAD = 9
_DIGITS = frozenset(b"123456789")


class Framer:
    """Splits a stream into messages, in bounded memory: the caller stops reading while ``size`` is too large.

    Parameters
    ----------
    longest : int
        Maximum length of a message in bytes; of a longer one, the start is returned.

    Attributes
    ----------
    cut : int
        Messages of which only the start was returned.
    """

    def __init__(self, longest: int) -> None:
        self.cut = 0
        self._longest, self._buffer = longest, bytearray()
        #: Index in the buffer before which there is no end of a line.
        self._since = 0
        #: Bytes to skip of a counted message that is too long; whether the rest of a line is skipped.
        self._skip, self._is_skipping = 0, False

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add bytes of the stream."""
        self._buffer += data

    def take(self, limit: int) -> list[bytes]:
        """Return the next complete messages, at most ``limit``."""
        found: list[bytes] = []
        while len(found) < limit and self._buffer:
            if (self._skip or self._is_skipping) and not self._skipped():
                break
            if (message := self._next()) is None:
                break
            found.append(message)
        return found

    def finish(self, is_complete: bool) -> list[bytes]:
        """Return what is left at the end of the stream, after :meth:`take` has returned all complete messages.

        Parameters
        ----------
        is_complete : bool
            Whether a line ends with the stream.
        """
        rest = bytes(self._buffer)
        counted = _COUNT.match(rest)
        self._drop(len(self._buffer))
        if rest and (counted or not is_complete):
            self.cut += 1
        return [rest[counted.end() - 1 if counted else 0 :][: self._longest]] if rest else []

    def _next(self) -> bytes | None:
        if not self._buffer:
            return None
        if self._buffer[0] in _DIGITS:
            head = bytes(self._buffer[:_HEAD])
            if (counted := _COUNT.match(head)) is not None:
                return self._counted(int(counted[1]), counted.end() - 1)
            if _MAY_BE_COUNT.match(head):
                return None
        return self._line()

    def _counted(self, size: int, start: int) -> bytes | None:
        end = start + min(size, self._longest)
        if len(self._buffer) < end:
            return None
        if size > self._longest:
            self.cut += 1
            self._skip = size - self._longest
        return self._remove(start, end, end)

    def _line(self) -> bytes | None:
        end = self._end()
        if end < 0 and len(self._buffer) <= self._longest:
            return None
        if 0 <= end <= self._longest:
            return self._remove(0, end, end + 1)
        self.cut += 1
        self._is_skipping = True
        return self._remove(0, self._longest, self._longest)

    def _end(self) -> int:
        """Find the end of a line: a line feed, or a NUL that another message follows; -1 if there is none yet."""
        buffer, since = self._buffer, self._since
        self._since = len(buffer) - 1  # the last byte may be a NUL
        feed = buffer.find(b"\n", since)
        nul = buffer.find(b"\x00<", since, feed) if feed >= 0 else buffer.find(b"\x00<", since)
        return feed if nul < 0 else nul

    def _remove(self, start: int, end: int, until: int) -> bytes:
        message = bytes(self._buffer[start:end])
        self._drop(until)
        return message

    def _drop(self, until: int) -> None:
        del self._buffer[:until]
        self._since = 0

    def _skipped(self) -> bool:
        """Skip the rest of a message that was too long; False if more of it is to come."""
        if self._is_skipping:
            end = self._end()
            self._is_skipping = end < 0
            self._drop(len(self._buffer) if end < 0 else end + 1)
            return not self._is_skipping
        size = min(self._skip, len(self._buffer))
        self._skip -= size
        self._drop(size)
        return self._skip == 0


def split_datagram(data: bytes) -> list[bytes]:
    """Split a datagram into messages: one, or several lines; an indented line continues the one before it."""
    return _LINES.split(data) if b"\n" in data else [data]


_LINES = re.compile(rb"\n(?![ \t])")


def to_text(message: bytes) -> str:
    """Return a message as text, without its end; what is not UTF-8 is replaced."""
    return message.strip(b"\r\n\x00").decode("utf-8", "replace")
