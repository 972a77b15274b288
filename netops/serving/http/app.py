"""The Litestar application of the HTTP server: the declared endpoints, and their OpenAPI description."""

import re
from collections.abc import Sequence

from litestar import Litestar, Response, route
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from netops.serving.engine.samples import BodyError
from netops.serving.http.framework import Background, Received
from netops.serving.http.openapi_pages import description_pages
from netops.serving.requests import registry
from netops.serving.requests.dispatch import Dispatcher
from netops.serving.requests.endpoint import Endpoint, Request
from netops.serving.requests.reply import Reply, failure, no_such_path, not_allowed, refusal, too_large

#: A parameter without a type; ``{name:path}`` is Litestar's notation, too.
_PARAMETER = re.compile(r"{(\w+)}")
#: Litestar adds it to the content type of text.
_CHARSET = "; charset=utf-8"


def make_app(dispatcher: Dispatcher, lifespan: Sequence[Background] = ()) -> Litestar:
    """Create the application.

    Parameters
    ----------
    dispatcher : Dispatcher
        Answers the requests.
    lifespan : sequence of async context managers
        Background tasks.
    """
    endpoints = [endpoint for endpoint in registry.ENDPOINTS if endpoint.is_http]
    handlers = [_handler(dispatcher, endpoint) for endpoint in endpoints]
    handlers += description_pages(endpoints, dispatcher.access.has_token)

    async def check(request: Received) -> None:
        # Also for what Litestar answers itself: OPTIONS, and the description.
        dispatcher.check(request.scope["path"].rstrip("/"), request.headers.get("authorization", ""))

    return Litestar(
        handlers,
        before_request=check,
        request_max_body_size=dispatcher.limit,
        exception_handlers={BodyError: _refuse, HTTPException: _explain, Exception: _fail},
        lifespan=list(lifespan),
        openapi_config=None,
        logging_config=None,
        state=State({"runtime": dispatcher.graph.runtime}),
    )


def _handler(dispatcher: Dispatcher, endpoint: Endpoint) -> HTTPRouteHandler:
    @route(path_of(endpoint), http_method=[endpoint.method], status_code=200)
    async def handle(request: Received) -> Response[bytes]:
        async def receive() -> bytes:
            try:
                return await request.body()
            except HTTPException as error:
                status, message = error.status_code, error.detail or ""
                raise (too_large(dispatcher.limit) if status == 413 else BodyError(message, status)) from None

        return _response(await dispatcher.answer(_request(request), receive))

    return handle


def path_of(endpoint: Endpoint) -> str:
    """Return the path of an endpoint in Litestar's notation."""
    return _PARAMETER.sub(r"{\1:str}", endpoint.path)


def _request(request: Received) -> Request:
    headers = request.headers
    return Request(
        request.method,
        request.scope["path"].rstrip("/"),
        content_type=headers.get("content-type", ""),
        query={name: values[-1] for name, values in request.query_params.dict().items()},
        authorization=headers.get("authorization", ""),
        encoding=headers.get("content-encoding", ""),
    )


def _refuse(_request: Received, error: BodyError) -> Response[bytes]:
    return _response(refusal(error.status, str(error)))


def _explain(request: Received, error: HTTPException) -> Response[bytes]:
    if error.status_code == 404:
        return _refuse(request, no_such_path(request.scope["path"]))
    if error.status_code == 405:
        return _refuse(request, not_allowed(request.method))
    return _response(refusal(error.status_code, error.detail or ""))


def _fail(_request: Received, error: Exception) -> Response[bytes]:
    return _response(failure(error))


def _response(reply: Reply) -> Response[bytes]:
    kind = reply.content_type.removesuffix(_CHARSET)
    return Response(reply.encoded(), status_code=reply.status, media_type=kind, headers=dict(reply.headers))
