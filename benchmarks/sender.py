"""A sender that costs next to nothing, so that a benchmark measures the server and not its client."""

import asyncio
from urllib.parse import urlsplit


class Sender:
    """One kept connection over a bare socket; answers carry a Content-Length, as the server's do."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._head = f"Host: {parts.netloc}\r\nContent-Type: application/json\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: bytes) -> bytes:
        """Send one request; give the answer's body, which must be a good one."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=1 << 20)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        lines = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(lines.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        answer = await reader.readexactly(length)
        if not lines.startswith(b"http/1.1 2"):
            raise RuntimeError(f"{path}: {lines[:60]!r} {answer[:200]!r}")
        return answer

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
