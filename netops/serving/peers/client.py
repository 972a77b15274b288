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

#: Maximum size of an answer in bytes.
MAX_ANSWER = 64 << 20


class PeerError(Exception):
    """A request to a peer has failed; another one may be answered."""


class NoPeerError(PeerError):
    """There is no peer at an address."""


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
        self.timeout, self._token, self._limit = timeout, token, limit
        self._opened: httpx.AsyncClient | None = None

    async def request(
        self, peer: PeerAddress, method: str, path: str, query: Query, body: bytes = b""
    ) -> PeerAnswer:
        """Send a request; a body is JSON.

        Raises
        ------
        NoPeerError
            If no connection can be opened.
        PeerError
            If there is no answer in time, or a larger one than allowed, or the request cannot be sent.
        """
        import httpx

        try:
            async with asyncio.timeout(self.timeout):
                return await self._exchange(peer, method, path, query, body)
        except TimeoutError:
            raise PeerError(f"no answer within {self.timeout:g} s") from None
        except httpx.ConnectError as error:
            raise NoPeerError(str(error) or type(error).__name__) from None
        # ValueError: text of a client that no address can contain, such as a lone surrogate.
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
            raise PeerError(str(error) or type(error).__name__) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.aclose()

    async def _exchange(self, peer: PeerAddress, method: str, path: str, query: Query, body: bytes) -> PeerAnswer:
        if self._opened is None:
            # The requests to each peer are limited, so that one that hangs does not use the connections of others.
            self._opened = async_client(self.timeout, token=self._token, max_connections=None)
        headers = {"Host": peer.host_header, "Accept-Encoding": "identity"}
        if body:
            headers["Content-Type"] = "application/json"
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
