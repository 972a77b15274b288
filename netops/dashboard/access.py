"""Who may look: anybody on this machine where no token is set, else who knows the token.

Programs send it as a bearer token. A browser asks for it once and holds a cookie that is derived from it, so that
the token itself is in no address, no history and no cookie.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler

from netops.serving.http.access import carries

COOKIE = "netops_dashboard"
Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]


def key_of(token: str) -> str:
    """Derive the cookie's value from the token."""
    return hmac.new(token.encode(), b"netops dashboard", hashlib.sha256).hexdigest()


def may_enter(token: str, given: str) -> bool:
    """Tell whether what somebody typed is the token."""
    return hmac.compare_digest(given.encode(), token.encode())


def guard(token: str) -> Guard:
    """Make the check of every page but those marked ``open``."""
    cookie = key_of(token).encode()

    def check(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if handler.opt.get("open"):
            return
        held = connection.cookies.get(COOKIE, "").encode()
        if not (carries(connection.headers.get("authorization", ""), token) or hmac.compare_digest(held, cookie)):
            raise NotAuthorizedException("the token is needed: open /login, or send Authorization: Bearer …")

    return check


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Tell whether a person asks with a browser, who is better sent to the form than given an error."""
    return "text/html" in request.headers.get("accept", "")
