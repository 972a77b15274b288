"""Access control: without a token, local requests only; otherwise the token is required.

Programs send it as a bearer token. In a browser, a login sets a cookie derived from the token, so that the token
itself is not in any address, history or cookie.
"""

import hashlib
import hmac

from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler

from netops.serving.http.framework import Check, Connection, Received
from netops.serving.requests.access import carries

COOKIE = "netops_dashboard"


def key_of(token: str) -> str:
    """Return the value of the cookie, derived from the token."""
    return hmac.new(token.encode(), b"netops dashboard", hashlib.sha256).hexdigest()


def is_token(token: str, given: str) -> bool:
    """Return whether the entered token is correct."""
    return hmac.compare_digest(given.encode(), token.encode())


def guard(token: str) -> Check:
    """Create the check of all pages except those marked ``open``."""
    cookie = key_of(token).encode()

    def check(connection: Connection, handler: BaseRouteHandler) -> None:
        if handler.opt.get("open"):
            return
        value = connection.cookies.get(COOKIE, "").encode()
        if not (carries(connection.headers.get("authorization", ""), token) or hmac.compare_digest(value, cookie)):
            raise NotAuthorizedException("a token is required: open /login, or send Authorization: Bearer …")

    return check


def wants_page(request: Received) -> bool:
    """Return whether the request comes from a browser, which is redirected to the login form."""
    return "text/html" in request.headers.get("accept", "")
