"""A small, quick HTTP client for one server: kept connections, JSON in and out."""

import asyncio
import ssl
from typing import Any
from urllib.parse import urlsplit

import msgspec

from netops.errors import NetopsError, UsageError

#: Time for one answer.
TIMEOUT = 30.0


class Refused(NetopsError):
    """The server answered that it does not take a request; to send it again would not help."""

    def __init__(self, message: str, status: int = 400, answer: bytes = b"") -> None:
        super().__init__(message)
        self.status, self.answer = status, answer


class Connection:
    """One kept connection; it is opened when it is needed.

    Parameters
    ----------
    url : str
        ``http://host:port`` or ``https://…``.
    token : str or None
        Bearer token.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"'{url}' is no address; write it as http://127.0.0.1:8080")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host, self._port = parts.hostname, parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        secret = f"Authorization: Bearer {token}\r\n" if token else ""
        self._head = f"Host: {parts.netloc}\r\nContent-Type: application/json\r\n{secret}"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, value: Any) -> bytes:
        """Post a value as JSON; give the answer's body (see :meth:`request`)."""
        return await self.request("POST", path, msgspec.json.encode(value))

    async def get(self, path: str) -> Any:
        """Get JSON."""
        return msgspec.json.decode(await self.request("GET", path, b""))

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def request(self, method: str, path: str, body: bytes) -> bytes:
        """Send one request; give the answer's body.

        Raises
        ------
        OSError
            If the connection was lost, or the server failed.
        Refused
            If the server refused the request.
        """
        try:
            async with asyncio.timeout(TIMEOUT):
                status, answer = await self._exchange(method, path, body)
        except (OSError, asyncio.IncompleteReadError, ValueError, IndexError, TimeoutError) as error:
            await self.close()
            raise ConnectionError(f"{self._host}:{self._port}: {error or 'no answer'}") from error
        if status >= 500:
            raise ConnectionError(f"{self._host}:{self._port}: status {status}")
        if status >= 400:
            told = answer.decode(errors="replace")[:200]
            raise Refused(f"{self._host}:{self._port} answers {status}: {told}", status, answer)
        return answer

    async def _exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, ssl=self._tls, limit=1 << 20)
        reader, writer = self._streams
        head = f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        lines = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(lines.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        answer = await reader.readexactly(length)
        if b"\r\nconnection: close" in lines:
            await self.close()
        return int(lines[9:12]), answer
