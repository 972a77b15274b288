"""The HTTP server's endpoints, as a Litestar application over the serving graph."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import Litestar, Response, get, post
from litestar.config.response_cache import ResponseCacheConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import FromQuery, QueryParameter

from netops import __version__
from netops.errors import UsageError
from netops.serving.alerts.store import Alert
from netops.serving.engine.samples import BodyError
from netops.serving.http import queries
from netops.serving.http.access import carries
from netops.serving.http.asgi import JSON
from netops.serving.http.feedback_endpoints import feedback_handlers
from netops.serving.http.framework import Background, Check, Connection, Handlers, Received
from netops.serving.http.openapi import (
    ERRORS,
    UNKNOWN_DEVICE,
    Error,
    ModelAnswer,
    RemoteWriteOperation,
    SamplesOperation,
    VectorsOperation,
)
from netops.serving.http.schemas import Fleet, History
from netops.serving.mlrun.graph import MODEL_PATH
from netops.serving.mlrun.service import Service

Limit = Annotated[int, QueryParameter(ge=1, le=100_000, description="maximum number of entries")]
Offset = Annotated[int, QueryParameter(ge=0, le=10_000_000, description="number of entries to skip")]
Cursor = Annotated[int, QueryParameter(ge=0, le=2**62, description="cursor of a previous answer")]
Every = Annotated[bool, QueryParameter(name="all", description="include ended alerts")]


def make_app(service: Service, token: str | None, lifespan: Sequence[Background] = ()) -> Litestar:
    """Create the application.

    Parameters
    ----------
    service : Service
        The service that processes the requests.
    token : str or None
        The bearer token of all requests except ``/healthz`` and ``/readyz``; None: no token is required.
    lifespan : sequence of async context managers
        Background tasks.
    """
    return Litestar(
        _handlers(service),
        request_max_body_size=service.runtime.settings.limits.body_bytes,
        guards=[_guard(token)] if token else None,
        exception_handlers={BodyError: _refuse, HTTPException: _explain, Exception: _fail},
        lifespan=list(lifespan),
        openapi_config=_openapi(token),
        response_cache_config=ResponseCacheConfig(),
        logging_config=None,
        state=State({"runtime": service.runtime}),
    )


def _handlers(service: Service) -> Handlers:
    runtime, metrics = service.runtime, service.runtime.metrics

    @post("/telemetry", status_code=200, operation_class=SamplesOperation, responses=ERRORS, tags=["telemetry"])
    async def telemetry(request: Received) -> Response[bytes]:
        """Score samples; return risk, alert and reasons for each: an object for an object, a list for a list."""
        body = await request.body()
        with metrics.timed("telemetry"):
            answer = await service.process(body, request.headers.get("content-type", ""))
        return Response(answer, media_type=JSON)

    @post(
        "/api/v1/write", status_code=204, operation_class=RemoteWriteOperation, responses=ERRORS, tags=["telemetry"]
    )
    async def remote_write(request: Received) -> None:
        """Accept samples from Prometheus and Telegraf (remote write 1.0)."""
        body = await request.body()
        with metrics.timed("remote_write", 204):
            await service.process(body, "application/x-protobuf")

    @post(
        MODEL_PATH + "/infer", status_code=200, operation_class=VectorsOperation, responses=ERRORS, tags=["model"]
    )
    async def infer(request: Received) -> Response[bytes]:
        """Score feature vectors (MLRun's V2 protocol)."""
        body = await request.body()
        with metrics.timed("infer") as timed:
            timed.code, answer = await service.score(body, MODEL_PATH + "/infer")
        return Response(msgspec.json.encode(answer), status_code=timed.code, media_type=JSON)

    @get(MODEL_PATH, tags=["model"])
    async def model() -> ModelAnswer:
        """Return the features, version and threshold of the champion."""
        return msgspec.convert(service.infer(b"", MODEL_PATH, "GET")[1], ModelAnswer)

    @get("/healthz", tags=["state"], opt={"open": True})
    async def healthz() -> queries.Health:
        """Return the health of the server, and the replay point after a crash."""
        return queries.health(runtime)

    @get("/readyz", tags=["state"], opt={"open": True})
    async def readyz() -> queries.Health:
        """Return the same as ``/healthz``; 503 while the network has no champion."""
        return queries.health(runtime)

    @get("/alerts", tags=["state"], responses=ERRORS)
    async def alerts(every: Every = False, limit: Limit = 1000) -> list[Alert]:
        """Return alerts, newest first."""
        return queries.alerts(runtime, every, limit)

    @get("/devices", tags=["state"], responses=ERRORS)
    async def devices(limit: Limit = 1000, offset: Offset = 0) -> list[queries.DeviceState]:
        """Return devices."""
        return queries.devices(runtime, limit, offset)

    @get("/fleet", tags=["state"], responses=ERRORS)
    async def fleet(since: Cursor = 0) -> Fleet:
        """Return the devices that changed since a previous answer, as columns, for live views."""
        return queries.fleet(runtime, since)

    @get("/history", tags=["state"], responses=UNKNOWN_DEVICE)
    async def history(device: FromQuery[str]) -> History:
        """Return the samples in a device's windows."""
        try:
            return queries.history(runtime, device)
        except UsageError as error:
            raise BodyError(str(error), 404) from None

    @get("/metrics", media_type=queries.METRICS_TYPE, tags=["state"])
    async def exported() -> Response[bytes]:
        """Return metrics in the Prometheus text format."""
        # Litestar adds the charset to text types; without this it would be there twice.
        return Response(metrics.export(), media_type=queries.METRICS_TYPE.rpartition(";")[0])

    state = [healthz, readyz, alerts, devices, fleet, history, exported]
    return [telemetry, remote_write, infer, model, *state, *feedback_handlers(runtime)]


def _guard(token: str) -> Check:
    def check(connection: Connection, handler: BaseRouteHandler) -> None:
        given = connection.headers.get("authorization", "")
        if not handler.opt.get("open") and not carries(given, token):
            raise NotAuthorizedException("a bearer token is required: Authorization: Bearer <NETOPS_TOKEN>")

    return check


def _openapi(token: str | None) -> OpenAPIConfig:
    config = OpenAPIConfig(
        title="NetOps",
        version=__version__,
        description="Scores device telemetry and raises alerts.",
        path="/schema",
        use_handler_docstrings=True,
    )
    if token:
        config.components = Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")})
        config.security = [{"token": []}]
    return config


def _refuse(_request: Received, error: BodyError) -> Response[Error]:
    return _error(str(error), error.status)


def _explain(_request: Received, error: HTTPException) -> Response[Error]:
    return _error(error.detail or "", error.status_code)


def _fail(_request: Received, error: Exception) -> Response[Error]:
    return _error(f"the server failed: {type(error).__name__}", 500)


def _error(message: str, status: int) -> Response[Error]:
    return Response(Error(message), status_code=status, media_type=JSON)
