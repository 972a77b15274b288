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
from netops.serving.alerts.store import Alert
from netops.serving.engine.samples import BodyError
from netops.serving.http.feedback_endpoints import feedback_handlers
from netops.serving.http.framework import Background, Check, Connection, Handlers, Received
from netops.serving.http.openapi import (
    ERRORS,
    UNKNOWN_DEVICE,
    ModelAnswer,
    RemoteWriteOperation,
    SamplesOperation,
    VectorsOperation,
)
from netops.serving.mlrun.service import Service
from netops.serving.requests import endpoints, queries
from netops.serving.requests.access import TOKEN_REQUIRED, carries
from netops.serving.requests.dispatch import answer
from netops.serving.requests.endpoints import (
    CURSOR,
    INFER,
    LIMIT,
    MODEL_PATH,
    OFFSET,
    REMOTE_WRITE,
    TELEMETRY,
    Bounds,
    Reply,
    failure,
    refusal,
)
from netops.serving.requests.schemas import Fleet, History


def _bounded(bounds: Bounds, about: str) -> QueryParameter:
    return QueryParameter(ge=bounds.minimum, le=bounds.maximum, description=about)


Limit = Annotated[int, _bounded(LIMIT, "maximum number of entries")]
Offset = Annotated[int, _bounded(OFFSET, "number of entries to skip")]
Cursor = Annotated[int, _bounded(CURSOR, "cursor of a previous answer")]
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

    @post(TELEMETRY, status_code=200, operation_class=SamplesOperation, responses=ERRORS, tags=["telemetry"])
    async def telemetry(request: Received) -> Response[bytes]:
        """Score samples; return risk, alert and reasons for each: an object for an object, a list for a list."""
        content_type = request.headers.get("content-type", "")
        return _response(await answer(service, "POST", TELEMETRY, await request.body(), content_type))

    @post(REMOTE_WRITE, status_code=204, operation_class=RemoteWriteOperation, responses=ERRORS, tags=["telemetry"])
    async def remote_write(request: Received) -> None:
        """Accept samples from Prometheus and Telegraf (remote write 1.0)."""
        await answer(service, "POST", REMOTE_WRITE, await request.body())

    @post(INFER, status_code=200, operation_class=VectorsOperation, responses=ERRORS, tags=["model"])
    async def infer(request: Received) -> Response[bytes]:
        """Score feature vectors (MLRun's V2 protocol)."""
        return _response(await answer(service, "POST", INFER, await request.body()))

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
    async def alerts(every: Every = False, limit: Limit = LIMIT.default) -> list[Alert]:
        """Return alerts, newest first."""
        return queries.alerts(runtime, every, limit)

    @get("/devices", tags=["state"], responses=ERRORS)
    async def devices(limit: Limit = LIMIT.default, offset: Offset = OFFSET.default) -> list[queries.DeviceState]:
        """Return devices."""
        return queries.devices(runtime, limit, offset)

    @get("/fleet", tags=["state"], responses=ERRORS)
    async def fleet(since: Cursor = CURSOR.default) -> Fleet:
        """Return the devices that changed since a previous answer, as columns, for live views."""
        return queries.fleet(runtime, since)

    @get("/history", tags=["state"], responses=UNKNOWN_DEVICE)
    async def history(device: FromQuery[str]) -> History:
        """Return the samples in a device's windows."""
        return endpoints.history(runtime, device)

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
            raise NotAuthorizedException(TOKEN_REQUIRED)

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


def _refuse(_request: Received, error: BodyError) -> Response[bytes]:
    return _response(refusal(error.status, str(error)))


def _explain(_request: Received, error: HTTPException) -> Response[bytes]:
    return _response(refusal(error.status_code, error.detail or ""))


def _fail(_request: Received, error: Exception) -> Response[bytes]:
    return _response(failure(error))


def _response(reply: Reply) -> Response[bytes]:
    return Response(reply.encoded(), status_code=reply.status, media_type=reply.content_type)
