"""Types of Litestar, for applications without users and sessions."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

__all__ = ["Background", "Check", "Connection", "Handlers", "Received"]

#: A request.
Received: TypeAlias = Request[None, None, State]
#: A request before its handler is known to take it.
Connection: TypeAlias = ASGIConnection[HTTPRouteHandler, None, None, State]
#: Rejects a request by an exception.
Check: TypeAlias = Callable[[Connection, BaseRouteHandler], None]
#: Background tasks: they run while the application does.
Background: TypeAlias = Callable[[Litestar], AbstractAsyncContextManager[None]]
Handlers: TypeAlias = list[HTTPRouteHandler]
