"""Who may reach a server: an address of this machine alone, or a token that every request carries."""

import hmac
import os
import socket

from netops.errors import UsageError

TOKEN = "NETOPS_TOKEN"  # noqa: S105 the name of a variable
_SEND_BUFFER = 262_144
LOCAL = ("127.0.0.1", "::1", "localhost")


def read_token() -> str | None:
    """Read the token from the environment: the one rule for servers, functions and clients.

    Blanks and line ends around it are dropped, because files that hold secrets often end with one.

    Returns
    -------
    str or None
        None where the variable is not set, or empty.

    Raises
    ------
    UsageError
        If it is blank, or holds anything but visible ASCII characters: no HTTP header could carry it.
    """
    given = os.environ.get(TOKEN)
    if not given:
        return None
    token = given.strip()
    if not token or not all("!" <= character <= "~" for character in token):
        raise UsageError(
            f"{TOKEN}: expected visible ASCII characters without blanks; make one with: openssl rand -hex 32"
        )
    return token


def token_for(host: str) -> str | None:
    """Give the token that requests to a server at this address must carry.

    Raises
    ------
    UsageError
        If none is set and the address can be reached from other machines, or it breaks the rule of ``read_token``.
    """
    token = read_token()
    if token is None and host not in LOCAL:
        raise UsageError(f"--host {host} can be reached by others: set {TOKEN} to a secret, or bind 127.0.0.1")
    return token


def carries(authorization: str | bytes, token: str) -> bool:
    """Check an ``Authorization`` header against the token, in a time that does not depend on either."""
    given = authorization.encode("utf-8", "replace") if isinstance(authorization, str) else authorization
    return hmac.compare_digest(given, f"Bearer {token}".encode())


def bind(host: str, port: int) -> socket.socket:
    """Listen at an address; port 0 takes a free one.

    Raises
    ------
    UsageError
        If it cannot be bound.
    """
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # Inherited by the connections: what a peer does not read fills no more than this of the kernel's memory.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    except OSError as error:
        raise UsageError(f"{host}:{port} cannot be bound: {error.strerror}; choose another --port") from None
    listener.setblocking(False)
    return listener
