"""Access control: a server is bound to a local address, or requires a bearer token."""

import hmac
import os
import socket

from netops.errors import UsageError

TOKEN = "NETOPS_TOKEN"  # noqa: S105 the name of a variable
_SEND_BUFFER = 262_144
#: The answer to a request without the right token.
TOKEN_REQUIRED = f"a bearer token is required: Authorization: Bearer <{TOKEN}>"
LOCAL = ("127.0.0.1", "::1", "localhost")


def read_token() -> str | None:
    """Read the token from the environment, for servers, functions and clients.

    Surrounding whitespace is stripped, because files with secrets often end with a line break.

    Returns
    -------
    str or None
        None if the variable is not set or empty.

    Raises
    ------
    UsageError
        If it is blank or has other than visible ASCII characters, which an HTTP header cannot contain.
    """
    given = os.environ.get(TOKEN)
    if not given:
        return None
    token = given.strip()
    if not token or not all("!" <= character <= "~" for character in token):
        raise UsageError(
            f"{TOKEN}: expected visible ASCII characters without spaces; generate one with: openssl rand -hex 32"
        )
    return token


def token_for(host: str) -> str | None:
    """Return the token that a server at this address requires.

    Raises
    ------
    UsageError
        If the address is not local and no token is set, or the token is invalid.
    """
    token = read_token()
    if token is None and host not in LOCAL:
        raise UsageError(f"--host {host} is not a local address: set {TOKEN} to a secret, or bind 127.0.0.1")
    return token


def carries(authorization: str | bytes, token: str) -> bool:
    """Return whether an ``Authorization`` header has the token, in constant time."""
    given = authorization.encode("utf-8", "replace") if isinstance(authorization, str) else authorization
    return hmac.compare_digest(given, f"Bearer {token}".encode())


class Access:
    """Decides which requests are answered.

    Parameters
    ----------
    token : str or None
        The bearer token that requests must have; None: no token is required.
    closed : str
        If given, a server without a token answers no request, with this message.
    """

    def __init__(self, token: str | None, closed: str = "") -> None:
        self._token, self._is_closed = token, token is None and bool(closed)
        #: The answer to a request that is not allowed.
        self.message = closed if self._is_closed else TOKEN_REQUIRED

    @property
    def has_token(self) -> bool:
        """Whether requests must have a token."""
        return self._token is not None

    def allows(self, authorization: str | bytes) -> bool:
        """Return whether a request with this ``Authorization`` header is allowed."""
        if self._token is None:
            return not self._is_closed
        return carries(authorization, self._token)


def bind(host: str, port: int) -> socket.socket:
    """Listen at an address; port 0: any free port.

    Raises
    ------
    UsageError
        If it cannot be bound.
    """
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # Inherited by the connections: limits the kernel memory for data that a peer does not read.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    except OSError as error:
        raise UsageError(f"{host}:{port} cannot be bound: {error.strerror}; choose another --port") from None
    listener.setblocking(False)
    return listener
