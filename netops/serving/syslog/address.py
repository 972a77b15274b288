"""The address of a syslog listener, and who may send to it: syslog has no token."""

import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from netops.errors import UsageError

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_KNOWN = 10_000
#: Ports that are tried for both transports, if any free one will do.
_TRIES = 20


class Address(NamedTuple):
    """An IP address and a port."""

    host: str
    port: int

    @property
    def is_local(self) -> bool:
        """Whether only programs of this machine can send to it."""
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Sockets(NamedTuple):
    """The sockets of a listener, bound to one port."""

    tcp: socket.socket
    udp: socket.socket

    @property
    def address(self) -> Address:
        """Where they are bound."""
        return Address(*self.tcp.getsockname()[:2])

    def close(self) -> None:
        """Close both."""
        self.tcp.close()
        self.udp.close()


def parse_address(text: str) -> Address:
    """Read an address such as ``127.0.0.1:5514`` or ``[::1]:5514``.

    Raises
    ------
    UsageError
        If it is not one.
    """
    host, _, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    with suppress(ValueError):
        if port.isascii() and port.isdigit() and 0 < int(port) < 65_536 and ("[" in text or ":" not in host):
            return Address(str(ipaddress.ip_address(host)), int(port))
    raise UsageError(
        f"serving.syslog: invalid address '{text}': expected an IP address and a port, such as 127.0.0.1:5514"
    )


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read networks in CIDR notation.

    Raises
    ------
    UsageError
        If one is not valid.
    """
    try:
        return tuple(map(ipaddress.ip_network, texts))
    except ValueError as error:
        raise UsageError(f"serving.syslog_from: {error}; expected networks such as 10.0.0.0/8") from None


def check_access(address: Address, networks: Sequence[Network]) -> None:
    """Check that a listener does not accept messages from everywhere by mistake.

    Raises
    ------
    UsageError
        If the address is not local and no network is allowed.
    """
    if not networks and not address.is_local:
        raise UsageError(
            f"--syslog {address} is not a local address, and syslog has no token: "
            "list the networks of the senders in serving.syslog_from, or bind 127.0.0.1"
        )


class Senders:
    """Decides who may send.

    Parameters
    ----------
    networks : sequence of networks
        If empty, everybody who can reach the address.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self._known: dict[str, str | None] = {}

    def name(self, host: str) -> str | None:
        """Return the address of a sender in its usual form; None if it may not send."""
        if host not in self._known:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[host] = self._name(host)
        return self._known[host]

    def _name(self, host: str) -> str | None:
        address = ipaddress.ip_address(host)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        is_allowed = not self._networks or any(address in network for network in self._networks)
        return str(address) if is_allowed else None


def bind_both(address: Address, buffer: int) -> Sockets:
    """Bind both sockets; port 0: any port that is free for both. The TCP socket does not listen yet.

    Parameters
    ----------
    address : Address
    buffer : int
        Receive buffer of the UDP socket in bytes; the system may limit it.

    Raises
    ------
    UsageError
        If it cannot be bound.
    """
    for _ in range(_TRIES):
        try:
            return _bind(address, buffer)
        except OSError as error:
            reason = error.strerror
            if address.port:
                break
    raise UsageError(f"--syslog {address} cannot be bound: {reason}; choose another port")


def _bind(address: Address, buffer: int) -> Sockets:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    tcp = socket.socket(family, socket.SOCK_STREAM)
    udp = socket.socket(family, socket.SOCK_DGRAM)
    try:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(tuple(address))
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        udp.bind((address.host, tcp.getsockname()[1]))
    except OSError:
        tcp.close()
        udp.close()
        raise
    tcp.setblocking(False)
    udp.setblocking(False)
    return Sockets(tcp, udp)
