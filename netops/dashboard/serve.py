"""``netops dashboard``: the process of the dashboard."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from netops.dashboard.app import make_app
from netops.dashboard.assets import assets
from netops.dashboard.follower import Follower
from netops.dashboard.records import Records
from netops.serving.http.protocol import guarded, guarded_server
from netops.serving.requests.access import LOCAL, bind, token_for
from netops.serving.settings import LimitSettings


def serve_dashboard(
    server: str, host: str = "127.0.0.1", port: int = 8090, ready: Callable[[str], None] | None = None
) -> None:
    """Serve the dashboard until the process is stopped.

    Parameters
    ----------
    server : str
        Address of ``netops serve``, which may be restarted.
    host, port : str, int
        Address to bind.
    ready : callable, optional
        Called with the address when the dashboard is ready.

    Raises
    ------
    UsageError
        If the address is not local and no token is set, or cannot be bound.
    """
    token = token_for(host)
    listener = bind(host, port)
    try:
        bound, number = listener.getsockname()[:2]
        address = f"http://{f'[{bound}]' if ':' in bound else bound}:{number}"
        store = Records()
        follower = Follower(server, token)
        app = make_app(
            follower, store, token, host in LOCAL, [lambda _app: _background(follower, store, address, ready)]
        )
        logging.getLogger("httpx").setLevel(logging.WARNING)
        config = guarded(app, LimitSettings(), timeout_graceful_shutdown=1)
        guarded_server(config, follower.end).run(sockets=[listener])
    finally:
        listener.close()


@asynccontextmanager
async def _background(
    follower: Follower, store: Records, address: str, ready: Callable[[str], None] | None
) -> AsyncIterator[None]:
    """Run the background tasks: poll the server, and import what takes time."""
    async with follower.following():
        await asyncio.to_thread(assets)
        await asyncio.to_thread(_import_plots)
        store.warm()
        if ready is not None:
            ready(address)
        yield
    store.close()


def _import_plots() -> None:
    # Late: Bokeh takes 0.4 s to import; in a thread, after the page can be opened.
    import netops.dashboard.plots  # noqa: F401 - imports Bokeh
