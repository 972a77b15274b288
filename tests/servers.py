"""A local HTTP server for tests whose clients may leave before the answer."""

import sys
from http.server import ThreadingHTTPServer
from typing import Any


class LocalServer(ThreadingHTTPServer):
    """Reports errors of handlers, but not clients that left: the output would be taken for a later test's."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the error, unless the connection was closed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)
