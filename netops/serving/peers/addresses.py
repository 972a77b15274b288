"""The addresses of the peers: base URLs, whose host names are resolved again as time passes."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from netops.errors import UsageError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class PeerAddress:
    """The address of one process.

    Attributes
    ----------
    scheme : str
        ``http`` or ``https``.
    host : str
        The name in the settings, which the certificate of an ``https`` address must have.
    ip : str
        An address of this name.
    port : int
    path : str
        Prefix of all paths.
    """

    scheme: str
    host: str
    ip: str
    port: int
    path: str = ""

    @property
    def url(self) -> str:
        """The base URL, with the IP address."""
        return f"{self.scheme}://{_bracketed(self.ip)}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        """The value of the header ``Host``."""
        return f"{_bracketed(self.host)}:{self.port}"


def parse_peer(url: str) -> PeerAddress:
    """Parse the base URL of peers; its IP address is the name itself.

    Raises
    ------
    UsageError
        If it is not one.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        port = 0
    if not port or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"peer '{url}': expected an address such as http://netops-peers:8080")
    return PeerAddress(parts.scheme, parts.hostname, parts.hostname, port, parts.path.rstrip("/"))


def parse_peers(urls: Sequence[str]) -> list[PeerAddress]:
    """Parse base URLs, each once (see :func:`parse_peer`)."""
    return list(dict.fromkeys(map(parse_peer, urls)))


async def resolve(peer: PeerAddress) -> list[PeerAddress]:
    """Return the addresses that a host name has now.

    Raises
    ------
    OSError
        If it cannot be resolved.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
    ips = dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)
    return [PeerAddress(peer.scheme, peer.host, ip, peer.port, peer.path) for ip in ips]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
