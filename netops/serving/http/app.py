"""The HTTP server's endpoints, as a Litestar application over the serving graph."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.config.response_cache import ResponseCacheConfig
from litestar.connection import ASGIConnection
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
from netops.serving.http.endpoints import JSON
from netops.serving.http.feedback_endpoints import feedback_handlers
from netops.serving.http.openapi import (
    ERRORS,
    UNKNOWN_DEVICE,
    Inference,
    ModelAnswer,
    RemoteWriteOperation,
    SamplesOperation,
    VectorsOperation,
)
from netops.serving.http.schemas import Fleet, History
from netops.serving.mlrun.graph import MODEL_PATH
from netops.serving.mlrun.service import Service

Limit = Annotated[int, QueryParameter(ge=1, le=100_000, description="most entries of the answer")]
Offset = Annotated[int, QueryParameter(ge=0, le=10_000_000, description="entries left out at the beginning")]
Cursor = Annotated[int, QueryParameter(ge=0, le=2**62, description="cursor of an earlier answer")]
Every = Annotated[bool, QueryParameter(name="all", description="ended ones too")]


def make_app(service: Service, token: str | None, lifespan: Sequence[Any] = ()) -> Litestar:
    """Make the application.

    Parameters
    ----------
    service : Service
        What answers.
    token : str or None
        The bearer token that all requests but ``/healthz`` and ``/readyz`` must carry; None: none is asked for.
    lifespan : sequence of async context managers
        What runs beside the requests.
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


def _handlers(service: Service) -> list[Any]:
    runtime, metrics = service.runtime, service.runtime.metrics

    @post("/telemetry", status_code=200, operation_class=SamplesOperation, responses=ERRORS, tags=["telemetry"])
    async def telemetry(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Take samples and answer each with risk, alert and reasons: one for one, a list for a list."""
        body = await request.body()
        with metrics.timed("telemetry"):
            answer = await service.take(body, request.headers.get("content-type", ""))
        return Response(answer, media_type=JSON)

    @post(
        "/api/v1/write", status_code=204, operation_class=RemoteWriteOperation, responses=ERRORS, tags=["telemetry"]
    )
    async def remote_write(request: Request[Any, Any, Any]) -> None:
        """Take samples as Prometheus and Telegraf send them (remote write 1.0)."""
        body = await request.body()
        with metrics.timed("remote_write", 204):
            await service.take(body, "application/x-protobuf")

    @post(
        MODEL_PATH + "/infer", status_code=200, operation_class=VectorsOperation, responses=ERRORS, tags=["model"]
    )
    async def infer(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Score ready-made feature vectors (MLRun's V2 protocol)."""
        body = await request.body()
        with metrics.timed("infer") as timed:
            timed.code, answer = await service.score(body, MODEL_PATH + "/infer")
        return Response(msgspec.json.encode(answer), status_code=timed.code, media_type=JSON)

    @get(MODEL_PATH, tags=["model"])
    async def model() -> ModelAnswer:
        """Describe the champion: features, version, threshold."""
        return msgspec.convert(service.infer(b"", MODEL_PATH, "GET")[1], ModelAnswer)

    @get("/healthz", tags=["state"], opt={"open": True})
    async def healthz() -> queries.Health:
        """Tell how the server is, and from which event time on samples are to be sent again after a crash."""
        return queries.health(runtime)

    @get("/readyz", tags=["state"], opt={"open": True})
    async def readyz() -> queries.Health:
        """Answer as ``/healthz`` does; refused with 503 while the network has no champion yet."""
        return queries.health(runtime)

    @get("/alerts", tags=["state"], responses=ERRORS)
    async def alerts(every: Every = False, limit: Limit = 1000) -> list[Alert]:
        """List alerts, the newest first."""
        return queries.alerts(runtime, every, limit)

    @get("/devices", tags=["state"], responses=ERRORS)
    async def devices(limit: Limit = 1000, offset: Offset = 0) -> list[queries.DeviceState]:
        """List devices."""
        return queries.devices(runtime, limit, offset)

    @get("/fleet", tags=["state"], responses=ERRORS)
    async def fleet(since: Cursor = 0) -> Fleet:
        """Tell of the devices heard of since an earlier answer, column by column: what a live view needs."""
        return queries.fleet(runtime, since)

    @get("/history", tags=["state"], responses=UNKNOWN_DEVICE)
    async def history(device: FromQuery[str]) -> History:
        """Give the samples of a device that its windows still hold."""
        try:
            return queries.history(runtime, device)
        except UsageError as error:
            raise BodyError(str(error), 404) from None

    @get("/metrics", media_type=queries.METRICS_TYPE, tags=["state"])
    async def exported() -> Response[bytes]:
        """Export metrics in Prometheus' text format."""
        # Litestar adds the charset to every type of text: given in the media type, it would be there twice.
        return Response(metrics.export(), media_type=queries.METRICS_TYPE.rpartition(";")[0])

    state = [healthz, readyz, alerts, devices, fleet, history, exported]
    return [telemetry, remote_write, infer, model, *state, *feedback_handlers(runtime)]


def _guard(token: str) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    def check(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        given = connection.headers.get("authorization", "")
        if not handler.opt.get("open") and not carries(given, token):
            raise NotAuthorizedException("a bearer token is needed: Authorization: Bearer <NETOPS_TOKEN>")

    return check


def _openapi(token: str | None) -> OpenAPIConfig:
    config = OpenAPIConfig(
        title="NetOps",
        version=__version__,
        description="From a device's sample to an alert.",
        path="/schema",
        use_handler_docstrings=True,
    )
    if token:
        config.components = Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")})
        config.security = [{"token": []}]
    return config


def _refuse(_request: Request[Any, Any, Any], error: BodyError) -> Response[Inference]:
    return _error(str(error), error.status)


def _explain(_request: Request[Any, Any, Any], error: HTTPException) -> Response[Inference]:
    return _error(error.detail or "", error.status_code)


def _fail(_request: Request[Any, Any, Any], error: Exception) -> Response[Inference]:
    return _error(f"the server failed: {type(error).__name__}", 500)


def _error(message: str, status: int) -> Response[Any]:
    return Response({"error": message}, status_code=status, media_type=JSON)
