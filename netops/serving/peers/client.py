"""Requests to peers: with the token, within a time, and with answers of a limited size."""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from netops.http_client import async_client
from netops.serving.peers.addresses import PeerAddress
from netops.serving.requests.parameters import Query

if TYPE_CHECKING:
    import httpx

#: Maximum size of an answer in bytes, and maximum requests at the same time.
MAX_ANSWER, MAX_REQUESTS = 64 << 20, 64


class PeerError(Exception):
    """A peer does not answer, or not as a peer does."""


class PeerAnswer(NamedTuple):
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class PeerClient:
    """Sends requests to peers; redirects are not followed.

    Parameters
    ----------
    timeout : float
        Seconds for an answer, in all.
    token : str or None
        Bearer token.
    limit : int
        Maximum size of an answer in bytes.
    """

    def __init__(self, timeout: float, token: str | None, limit: int = MAX_ANSWER) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request
        self._timeout, self._token, self._limit = timeout, token, limit
        self._free = asyncio.Semaphore(MAX_REQUESTS)
        self._opened: httpx.AsyncClient | None = None

    async def request(
        self, peer: PeerAddress, method: str, path: str, query: Query, body: bytes = b"", content_type: str = ""
    ) -> PeerAnswer:
        """Send a request.

        Raises
        ------
        PeerError
            If there is no answer in time, or a larger one than allowed.
        """
        import httpx

        try:
            async with asyncio.timeout(self._timeout), self._free:
                return await self._exchange(peer, method, path, query, body, content_type)
        except TimeoutError:
            raise PeerError(f"no answer within {self._timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise PeerError(str(error) or type(error).__name__) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.aclose()

    async def _exchange(
        self, peer: PeerAddress, method: str, path: str, query: Query, body: bytes, content_type: str
    ) -> PeerAnswer:
        if self._opened is None:
            self._opened = async_client(self._timeout, token=self._token)
        headers = {"Host": peer.host_header, "Accept-Encoding": "identity"}
        if content_type:
            headers["Content-Type"] = content_type
        request = self._opened.build_request(
            method,
            peer.url + path,
            params={name: str(value) for name, value in query.items()},
            headers=headers,
            content=body or None,
            extensions={"sni_hostname": peer.host} if peer.host != peer.ip else {},
        )
        answer = await self._opened.send(request, stream=True)
        try:
            return PeerAnswer(answer.status_code, answer.headers, await self._read(answer))
        finally:
            await answer.aclose()

    async def _read(self, answer: "httpx.Response") -> bytes:
        found = bytearray()
        async for chunk in answer.aiter_raw():
            found += chunk
            if len(found) > self._limit:
                raise PeerError(f"its answer has more than {self._limit} bytes")
        return bytes(found)
