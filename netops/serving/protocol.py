"""HTTP connections that are not kept open for clients that send too slowly, and a server that ends well."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any


def guarded_protocol(seconds: float) -> type[asyncio.Protocol]:
    """Make a connection class for uvicorn that ends a connection whose request takes too long to come in.

    Parameters
    ----------
    seconds : float
        Time for a whole request, head and body, from its first byte (for the first one: from the connection) on.
    """
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class GuardedProtocol(HttpToolsProtocol):
        """Holds one timer: it runs while a request is coming in."""

        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._start()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            if self._timer is None:
                self._start()

        def on_message_complete(self) -> None:
            self._stop()
            super().on_message_complete()

        def _start(self) -> None:
            self._timer = self.loop.call_later(seconds, self._expire)

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _expire(self) -> None:
            self._timer = None
            if self.transport is not None and not self.transport.is_closing():
                self.transport.abort()

    return GuardedProtocol


def guarded_server(config: Any, ending: Callable[[], Awaitable[None]] | None = None) -> Any:
    """Make a uvicorn server that, told to end, answers what is under way and ends as a success.

    Parameters
    ----------
    config : uvicorn.Config
        Of the server.
    ending : callable, optional
        Awaited first when the server is told to end: what lets go of answers that would go on for ever.
    """
    import uvicorn

    class GuardedServer(uvicorn.Server):
        """uvicorn's own would raise the signal once more at the end."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            if threading.current_thread() is not threading.main_thread():
                yield
                return
            before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

        async def shutdown(self, sockets: list[Any] | None = None) -> None:
            if ending is not None:
                await ending()
            await super().shutdown(sockets)

    return GuardedServer(config)
