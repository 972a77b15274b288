"""A server that answers until the network has a champion."""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from netops.config.durations import SECOND
from netops.errors import NoChampionError
from netops.serving.http.asgi import Receive, Scope, Send, respond
from netops.serving.http.guard import Guard
from netops.serving.http.protocol import guarded, guarded_server
from netops.serving.requests.access import LOCAL
from netops.serving.requests.endpoints.health import HEALTH
from netops.serving.settings import ServingSettings

if TYPE_CHECKING:
    from uvicorn import Server

STATUS = "no champion"


def wait_for_champion(
    network: str,
    lookup: Callable[[], object],
    listener: socket.socket,
    settings: ServingSettings,
    ready: Callable[[], None] | None = None,
) -> bool:
    """Answer requests until a champion is found.

    Parameters
    ----------
    network : str
        Name of the network.
    lookup : callable
        Looks up the champion; raises an exception if there is none.
    listener : socket
        Stays open for the actual server.
    settings : ServingSettings
        Interval of the lookup, and limits of connections.
    ready : callable, optional
        Called when requests are answered.

    Returns
    -------
    bool
        Whether a champion was found; False if the process was stopped first.
    """
    return asyncio.run(_WaitingServer(network, lookup, settings).run(listener.dup(), ready))


class _WaitingServer:
    def __init__(self, network: str, lookup: Callable[[], object], settings: ServingSettings) -> None:
        self._network, self._lookup, self._settings = network, lookup, settings
        self._reason = self._none = f"network '{network}' has no champion yet"

    async def run(self, listener: socket.socket, ready: Callable[[], None] | None) -> bool:
        server = self._server()
        answering = asyncio.create_task(server.serve(sockets=[listener]))
        interval = max(self._settings.state.champion_interval / SECOND, 1.0)
        while not (await asyncio.wait({answering}, timeout=interval))[0]:
            if ready is not None:
                ready()
                ready = None
            if await self._found():
                server.should_exit = True
                await answering
                return True
        await answering
        return False

    async def _found(self) -> bool:
        try:
            await asyncio.to_thread(self._lookup)
        except NoChampionError:  # do not expose other contents of the registry
            self._reason = self._none
            return False
        except Exception as error:  # noqa: BLE001 for example, the registry is not available yet
            self._reason = " ".join(str(error).split())[:300] or type(error).__name__
            return False
        return True

    def _server(self) -> "Server":
        local = self._settings.host in LOCAL
        app = Guard(self._answer, local, self._settings.hosts)
        return guarded_server(guarded(app, self._settings.limits, lifespan="off", timeout_graceful_shutdown=5))

    async def _answer(self, scope: Scope, _receive: Receive, send: Send) -> None:
        healthy = scope["path"] == HEALTH.path
        body = {"status": STATUS, "network": self._network, "error": self._reason}
        retry = () if healthy else ((b"retry-after", b"5"),)
        await respond(send, 200 if healthy else 503, json.dumps(body).encode(), retry)
