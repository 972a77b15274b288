"""A JSON client for one server with persistent connections."""

import asyncio
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import msgspec

from netops.errors import NetopsError, UsageError
from netops.http_client import async_client
from netops.serving.requests.scope import MISSING_HEADER

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
#: Timeout of a request, in seconds.
TIMEOUT = 30.0


class RefusedError(NetopsError):
    """The server rejected a request; a retry would not help."""

    def __init__(self, message: str, status: int = 400, answer: bytes = b"") -> None:
        super().__init__(message)
        self.status, self.answer = status, answer


class UnavailableError(ConnectionError):
    """The server cannot answer now; a retry may help."""


class Connection:
    """Persistent connections to one server, opened on first use.

    Parameters
    ----------
    url : str
        ``http://host:port`` or ``https://…``.
    token : str or None
        Bearer token.

    Attributes
    ----------
    missing : str
        Partitions of a stream that are missing in the last answer; empty if there are none.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"'{url}' is not a valid address: expected e.g. http://127.0.0.1:8080")
        self._url, self._token, self._host = url.rstrip("/"), token, parts.netloc.rpartition("@")[2]
        self._client: httpx.AsyncClient | None = None
        self.missing = ""

    async def post(self, path: str, value: object) -> bytes:
        """Post a value as JSON; return the response body (see :meth:`request`)."""
        return await self.request("POST", path, msgspec.json.encode(value))

    async def get(self, path: str, kind: type[T]) -> T:
        """Return the JSON at a path, decoded as a type; its other keys are ignored.

        Raises
        ------
        NetopsError
            If it is not of this type.
        """
        try:
            return msgspec.json.decode(await self.request("GET", path, b""), type=kind)
        except msgspec.DecodeError as error:
            raise NetopsError(f"{self._host} is not a netops server of this version: {path}: {error}") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def request(self, method: str, path: str, body: bytes) -> bytes:
        """Send a request; return the response body.

        Raises
        ------
        OSError
            If the connection fails or the server returns status 5xx.
        RefusedError
            If the server rejects the request.
        """
        import httpx

        try:
            async with asyncio.timeout(TIMEOUT):
                answer = await self._opened().request(method, self._url + path, content=body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            await self.close()
            raise ConnectionError(f"{self._host}: {str(error) or 'no response'}") from error
        status, self.missing = answer.status_code, answer.headers.get(MISSING_HEADER, "")
        excerpt = answer.content.decode(errors="replace")[:200] if status >= 300 else ""
        if status >= 500:
            raise UnavailableError(f"{self._host}: status {status} {excerpt}".rstrip())
        if status >= 300:
            raise RefusedError(f"{self._host} returned {status}: {excerpt}", status, answer.content)
        return answer.content

    def _opened(self) -> "httpx.AsyncClient":
        if self._client is None:
            self._client = async_client(TIMEOUT, token=self._token)
            self._client.headers["Content-Type"] = "application/json"
        return self._client
