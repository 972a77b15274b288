"""Who may reach a server: an address of this machine alone, or a token that every request carries."""

import os
import socket

from netops.errors import UsageError

TOKEN = "NETOPS_TOKEN"
LOCAL = ("127.0.0.1", "::1", "localhost")


def token_for(host: str) -> str | None:
    """Give the token that requests must carry.

    Raises
    ------
    UsageError
        If none is set and the address can be reached from other machines.
    """
    token = os.environ.get(TOKEN) or None
    if token is None and host not in LOCAL:
        raise UsageError(f"--host {host} can be reached by others: set {TOKEN} to a secret, or bind 127.0.0.1")
    return token


def bind(host: str, port: int) -> socket.socket:
    """Listen at an address; port 0 takes a free one.

    Raises
    ------
    UsageError
        If it cannot be bound.
    """
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise UsageError(f"{host}:{port} cannot be bound: {error.strerror}; choose another --port") from None
    listener.setblocking(False)
    return listener
