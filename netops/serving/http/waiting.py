"""What a server answers until its network has a champion: that it has none yet."""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

from netops.config.durations import SECOND
from netops.errors import NoChampionError
from netops.serving.http.access import LOCAL
from netops.serving.http.guard import Guard
from netops.serving.settings import ServingSettings

STATUS = "no champion"


def wait_for_champion(
    network: str,
    look: Callable[[], Any],
    listener: socket.socket,
    settings: ServingSettings,
    ready: Callable[[], None] | None = None,
) -> bool:
    """Answer requests until a champion is found.

    Parameters
    ----------
    network : str
        Its name.
    look : callable
        Looks the champion up; raises an exception while there is none.
    listener : socket
        Stays open for the server that follows.
    settings : ServingSettings
        How often to look, and what connections may cost.
    ready : callable, optional
        Called once requests are answered.

    Returns
    -------
    bool
        Whether one was found; False if the process was told to end first.
    """
    return asyncio.run(_Waiting(network, look, settings).run(listener.dup(), ready))


class _Waiting:
    def __init__(self, network: str, look: Callable[[], Any], settings: ServingSettings) -> None:
        self._network, self._look, self._settings = network, look, settings
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
            await asyncio.to_thread(self._look)
        except NoChampionError:  # what else the registry holds is no business of whoever asks here
            self._reason = self._none
            return False
        except Exception as error:  # noqa: BLE001 a registry that does not answer yet
            self._reason = " ".join(str(error).split())[:300] or type(error).__name__
            return False
        return True

    def _server(self) -> Any:
        from netops.serving.http.protocol import guarded, guarded_server

        local = self._settings.host in LOCAL
        app = Guard(self._answer, local, self._settings.hosts)
        return guarded_server(guarded(app, self._settings.limits, lifespan="off", timeout_graceful_shutdown=5))

    async def _answer(self, scope: Any, _receive: Any, send: Any) -> None:
        healthy = scope["path"] == "/healthz"
        body = {"status": STATUS, "network": self._network, "error": self._reason}
        content = json.dumps(body).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        headers += [] if healthy else [(b"retry-after", b"5")]
        await send({"type": "http.response.start", "status": 200 if healthy else 503, "headers": headers})
        await send({"type": "http.response.body", "body": content})
