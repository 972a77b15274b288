"""The one HTTP client of the package: httpx with time limits, and no redirect followed unless requested.

httpx is imported when a client is made, so that commands that send nothing start without it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netops.errors import NetopsError

if TYPE_CHECKING:
    import httpx

#: Bytes of an answer that are read where only its status counts.
MAX_ANSWER = 65_536


class UnreachableError(NetopsError, OSError):
    """The server was not reached, or its answer was none."""


class BadAddressError(NetopsError):
    """Nothing can be sent to such an address."""


@dataclass(frozen=True)
class Answer:
    """Status, headers and the beginning of the body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body on one line."""
        return " ".join(self.body.decode(errors="replace").split())


def client(
    timeout: float,
    *,
    token: str | None = None,
    retries: int = 0,
    base_url: str = "",
    follow_redirects: bool = False,
) -> httpx.Client:
    """Make a client; the other parameters are those of ``httpx.Client``."""
    import httpx

    transport = httpx.HTTPTransport(retries=retries) if retries else None
    return httpx.Client(
        timeout=timeout,
        headers=_headers(token),
        transport=transport,
        base_url=base_url,
        follow_redirects=follow_redirects,
    )


def async_client(
    timeout: float, *, token: str | None = None, base_url: str = "", max_connections: int | None = 100
) -> httpx.AsyncClient:
    """Make a client for servers of one's own: proxies of the environment are not used."""
    import httpx

    return httpx.AsyncClient(
        timeout=timeout,
        headers=_headers(token),
        trust_env=False,
        base_url=base_url,
        limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=20),
    )


def post(sender: httpx.Client, url: str, body: bytes, timeout: float) -> Answer:
    """Post JSON; read no more of the answer than ``MAX_ANSWER``, and for no longer than ``timeout`` in all.

    Raises
    ------
    UnreachableError
        If there is no answer, or none that is HTTP.
    BadAddressError
        If the address is none.
    """
    import httpx

    deadline = time.monotonic() + timeout
    try:
        with sender.stream("POST", url, content=body, headers={"Content-Type": "application/json"}) as answer:
            return Answer(answer.status_code, answer.headers, _beginning(answer, deadline))
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise BadAddressError(f"{url}: {error}") from None
    except (httpx.HTTPError, httpx.StreamError, OSError) as error:
        raise UnreachableError(str(error) or type(error).__name__) from None


def _beginning(answer: httpx.Response, deadline: float) -> bytes:
    found = b""
    for chunk in answer.iter_raw():
        found += chunk
        if len(found) >= MAX_ANSWER or time.monotonic() > deadline:
            break
    return found[:MAX_ANSWER]


def _headers(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
