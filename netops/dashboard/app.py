"""The Litestar application of the dashboard: pages and data of their scripts."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Literal, TypeAlias, cast

import msgspec
from litestar import Litestar, Response, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Redirect, ServerSentEvent

from netops.dashboard import records
from netops.dashboard.access import guard, wants_page
from netops.dashboard.assets import assets
from netops.dashboard.device import device_state, has_logs
from netops.dashboard.fleet_map import FleetMap, View
from netops.dashboard.follower import Follower, NoServerError, delta
from netops.dashboard.graph import HEIGHT, WIDTH
from netops.dashboard.login import login
from netops.dashboard.pages import page
from netops.dashboard.records import Records
from netops.errors import NetopsError, UsageError
from netops.serving.http.asgi import Application
from netops.serving.http.framework import Background, Handlers, Received
from netops.serving.http.guard import Guard

#: A page for a browser, a redirect to the login form, or JSON.
ErrorAnswer: TypeAlias = Response[str] | Response[None] | Response[dict[str, str]]
_LOG = logging.getLogger(__name__)

HTML, JSON, PNG = "text/html; charset=utf-8", "application/json", "image/png"
#: Scripts, images and data are served only from here; Bokeh sets styles of elements.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
#: A report is a single file with inline styles, scripts and images; it may load nothing else.
REPORT_POLICY = "; ".join(
    [
        "sandbox allow-scripts",
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "script-src 'unsafe-inline'",
        "img-src data:",
    ]
)
FOUND = 12
#: Maximum metrics of a device drawn at once, and maximum length of a name.
PLOTS, NAME = 32, 256
#: Maximum body of a request in bytes: a form, or feedback.
BODY = 65_536
_SENT = tuple((name.encode(), value.encode()) for name, value in HEADERS.items())


class Verdict(msgspec.Struct):
    """Feedback on an alert."""

    alert: str
    verdict: Literal["confirmed", "repaired", "dismissed"]


def make_app(
    follower: Follower, store: Records, token: str | None, local: bool = True, lifespan: Sequence[Background] = ()
) -> Guard:
    """Create the application.

    Parameters
    ----------
    follower : Follower
        Tracks the server.
    store : Records
        Reads runs and models.
    token : str or None
        The required token; None: no token is required.
    local : bool
        Whether the dashboard is local: requests with another host name are rejected, so that foreign web pages
        cannot read the dashboard through a browser.
    lifespan : sequence of async context managers
        Background tasks.
    """
    app = Litestar(
        [
            *_pages(follower, store),
            *_data(follower),
            *_plots(follower, store),
            *_files(store),
            *login(token),
        ],
        guards=[guard(token)] if token else [],
        exception_handlers={NetopsError: _explain_error, HTTPException: _explain, Exception: _fail},
        lifespan=list(lifespan),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=BODY,
    )
    return Guard(cast(Application, app), local, headers=_SENT)


def _pages(follower: Follower, store: Records) -> Handlers:
    @get("/")
    async def index() -> Redirect:
        """Redirect to the fleet."""
        return Redirect("/fleet")

    @get("/fleet")
    async def fleet(request: Received) -> Response[str]:
        """Return the page of the fleet."""
        return _page(request, "fleet.html", view="fleet", title="Fleet", devices=len(follower.fleet))

    @get("/device")
    async def device(request: Received, device: FromQuery[str] = "", metrics: FromQuery[str] = "") -> Response[str]:
        """Return the page of a device."""
        return _page(
            request, "device.html", view="device", title=device or "Device", device=device, metrics=metrics
        )

    @get("/models")
    async def models(request: Received, network: FromQuery[str] = "") -> Response[str]:
        """Return the page of a network's models."""
        if not store.ready:
            return _page(request, "waiting.html", view="models", title="Models")
        known = await store.query(records.models, network or None)
        serving = follower.fleet.facts
        live = serving.model if serving and serving.network == known["network"] and not follower.trouble else None
        return _page(
            request, "models.html", view="models", title="Models", **known, live=live, figures=records.FIGURES
        )

    @get("/runs")
    async def runs(request: Received, run: FromQuery[str] = "", step: FromQuery[str] = "") -> Response[str]:
        """Return the page of runs, with details of one run."""
        if not store.ready:
            return _page(request, "waiting.html", view="runs", title="Runs")
        listed = await store.query(records.runs)
        run = run or (listed[0]["run_id"] if listed else "")
        record, graph = await store.query(records.run, run) if run else (None, None)
        chosen = graph.find(step) if graph else None
        log = await store.query(records.log_of, chosen.uid) if chosen and chosen.uid else ""
        return _page(
            request,
            "runs.html",
            view="runs",
            title="Runs",
            runs=listed,
            run=record,
            graph=graph,
            chosen=chosen,
            log=log,
            size=(WIDTH, HEIGHT),
        )

    return [index, fleet, device, models, runs]


def _data(follower: Follower) -> Handlers:
    @get("/events", media_type="text/event-stream")
    async def events(whole: FromQuery[bool] = False) -> ServerSentEvent:
        """Stream the changes."""

        async def changes() -> AsyncIterator[str]:
            async for _ in follower.changes():
                yield json.dumps(delta(follower, whole))

        return ServerSentEvent(changes())

    @get("/data/device")
    async def device(device: FromQuery[str]) -> Response[bytes]:
        """Return state, samples, risk history and alerts of a device."""
        return _json(await device_state(follower, device))

    @get("/data/logs")
    async def logs(device: FromQuery[str]) -> Response[bytes]:
        """Return the last messages of a device that the server has kept."""
        return _json(msgspec.to_builtins(await follower.logs(device)))

    @get("/data/find")
    async def find(text: FromQuery[str] = "") -> Response[bytes]:
        """Return devices whose name, company or data center contains a text."""
        fleet, wanted = follower.fleet, text.lower()
        found = []
        for slot in fleet.order.tolist():
            location = fleet.locations[slot]
            if wanted in f"{fleet.names[slot]} {location.company} {location.data_center}".lower():
                found.append(
                    {"device": fleet.names[slot], "location": f"{location.company} {location.data_center}".strip()}
                )
                if len(found) == FOUND:
                    break
        return _json(found)

    @post("/data/verdict", status_code=200)
    async def verdict(data: JSONBody[Verdict]) -> Response[bytes]:
        """Forward feedback on an alert to the server."""
        await follower.record_verdict(data.alert, data.verdict)
        return _json(msgspec.to_builtins(data))

    return [events, device, logs, find, verdict]


def _plots(follower: Follower, store: Records) -> Handlers:
    fleet_map = FleetMap(follower.fleet)
    drawing = asyncio.Lock()

    @get("/plots/fleet")
    async def fleet(
        theme: FromQuery[str] = "light", at: FromQuery[str] = "[]", narrow: FromQuery[bool] = False
    ) -> Response[bytes]:
        """Return the heat map of a company, a data center, or the fleet (``at``: JSON list of names)."""
        view = View(tuple(_names(at, "at")), _theme(theme), narrow)
        headers = HEADERS | {"content-encoding": "gzip"}
        return Response(await fleet_map.packed(view), media_type=JSON, headers=headers)

    @get("/plots/device")
    async def device(metrics: FromQuery[str], theme: FromQuery[str] = "light") -> Response[bytes]:
        """Return the plots of a device, for the metrics in a JSON list."""
        # Late: Bokeh takes 0.4 s to import (serve._import_plots).
        from netops.dashboard.plots import device_plot

        facts = follower.fleet.facts
        names = list(dict.fromkeys(_names(metrics, "metrics")))
        if len(names) > PLOTS or any(len(name) > NAME for name in names):
            raise HTTPException(status_code=400, detail=f"metrics: at most {PLOTS}, of {NAME} characters each")
        threshold = facts.threshold if facts else 1.0
        # In a thread, one at a time: drawing takes up to a second.
        async with drawing:
            item = await asyncio.to_thread(
                device_plot, names, threshold, _theme(theme), facts is not None and has_logs(facts.metrics)
            )
        return _json(item)

    @get("/plots/models")
    async def models(network: FromQuery[str] = "", theme: FromQuery[str] = "light") -> Response[bytes]:
        """Return the plot of a network's models."""
        # Late: Bokeh takes 0.4 s to import (serve._import_plots).
        from netops.dashboard.plots import models_plot

        known = await store.query(records.models, network or None)
        async with drawing:
            item = await asyncio.to_thread(models_plot, known["versions"], _theme(theme))
        return _json(item)

    return [fleet, device, models]


def _files(store: Records) -> Handlers:
    @get("/static/{name:str}", opt={"open": True})
    async def static(name: FromPath[str]) -> Response[bytes]:
        """Return a static file."""
        asset = assets().get(name)
        if asset is None:
            raise HTTPException(status_code=404, detail="no such file")
        caching = {"cache-control": "public, max-age=31536000, immutable", "content-encoding": "gzip"}
        return Response(asset.packed, media_type=asset.kind, headers=HEADERS | caching)

    @get("/picture")
    async def picture(step: FromQuery[str], key: FromQuery[str]) -> Response[bytes]:
        """Return an image that a step has logged."""
        found = await store.query(records.picture, step, key)
        if found is None:
            raise HTTPException(status_code=404, detail="no such image on this machine")
        return Response(found, media_type=PNG, headers=HEADERS)

    @get("/report")
    async def report(run: FromQuery[str]) -> Response[bytes]:
        """Return the report of a run."""
        found = await store.query(records.report, run)
        if found is None:
            raise HTTPException(status_code=404, detail="the run has no report on this machine")
        return Response(found, media_type=HTML, headers=HEADERS | {"content-security-policy": REPORT_POLICY})

    return [static, picture, report]


def _theme(name: str) -> str:
    return "dark" if name == "dark" else "light"


def _names(text: str, parameter: str) -> list[str]:
    try:
        return msgspec.json.decode(text, type=list[str])
    except msgspec.DecodeError:
        raise HTTPException(status_code=400, detail=f"{parameter}: a JSON list of names") from None


def _page(request: Received, template: str, status: int = 200, **values: object) -> Response[str]:
    """Render a page; scripts that refresh a page request only its content."""
    frame = "part.html" if request.headers.get("x-part") else "base.html"
    text = page(template, frame=frame, **values)
    return Response(text, status_code=status, media_type=HTML, headers=HEADERS)


def _json(value: object) -> Response[bytes]:
    return Response(json.dumps(value, default=_plain).encode(), media_type=JSON, headers=HEADERS)


def _plain(value: object) -> object:
    return value.tolist() if hasattr(value, "tolist") else msgspec.to_builtins(value)


def _explain(request: Received, error: HTTPException) -> ErrorAnswer:
    if error.status_code == 401 and wants_page(request):
        return Response(None, status_code=303, headers=HEADERS | {"location": "/login"})
    return _error_answer(request, error.detail or "", error.status_code)


def _explain_error(request: Received, error: NetopsError) -> ErrorAnswer:
    status = 502 if isinstance(error, NoServerError) else 404 if isinstance(error, UsageError) else 500
    return _error_answer(request, str(error), status)


def _fail(request: Received, error: Exception) -> ErrorAnswer:
    _LOG.error("%s: %s", request.url.path, error, exc_info=error)
    return _error_answer(request, f"the dashboard failed: {type(error).__name__}", 500)


def _error_answer(request: Received, message: str, status: int) -> ErrorAnswer:
    if wants_page(request):
        return _page(request, "error.html", status, view="", title="Not found", message=message)
    return Response({"error": message}, status_code=status, headers=HEADERS)
