"""Dispatch of a request: from method, path and body to the response, independent of the server.

The HTTP server (its fast path and its framework) and the Nuclio function use it. What they have checked
before is how they know the caller (``access``) and how large a body they take.
"""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from netops.serving.engine.pipeline import REMOTE_WRITE_TYPE
from netops.serving.engine.samples import BodyError
from netops.serving.requests.endpoints import (
    INFER,
    MODEL_PATH,
    REMOTE_WRITE,
    TELEMETRY,
    Query,
    Reply,
    ask,
    failure,
    not_allowed,
    refusal,
)

if TYPE_CHECKING:
    from netops.serving.mlrun.service import Service

_NO_QUERY: Query = {}
#: Paths that take no query: another method is not allowed.
_OWN = (TELEMETRY, REMOTE_WRITE, MODEL_PATH, INFER)


async def answer(
    service: "Service", method: str, path: str, body: object, content_type: str = "", query: Query = _NO_QUERY
) -> Reply:
    """Answer a request, and measure it.

    Parameters
    ----------
    service : Service
        The started graph.
    method, path : str
        Method, and path without a trailing slash.
    body : bytes, str or plain values
        The raw body, or one that Nuclio has parsed.
    content_type : str
        Of the body; JSON if empty.
    query : mapping
        The query parameters.

    Raises
    ------
    BodyError
        If the body cannot be parsed.
    """
    metrics = service.runtime.metrics
    if method == "POST" and path == TELEMETRY:
        with metrics.timed("telemetry"):
            return Reply(200, await service.process(body, content_type))
    if method == "POST" and path == REMOTE_WRITE:
        with metrics.timed("remote_write", 204):
            await service.process(body, REMOTE_WRITE_TYPE)
        return Reply(204, b"")
    if (method == "GET" and path == MODEL_PATH) or (method == "POST" and path.startswith(MODEL_PATH + "/")):
        with metrics.timed("infer") as timed:
            timed.code, found = await service.score(body, path, method)
        return Reply(timed.code, found)
    if path in _OWN:
        return not_allowed(method)
    return ask(service.runtime, method, path, query, body)


async def replied(work: Awaitable[Reply]) -> Reply:
    """Return the response to a request, or the one of its error."""
    try:
        return await work
    except BodyError as error:
        return refusal(error.status, str(error))
    except Exception as error:  # noqa: BLE001 a request must not end the server
        return failure(error)
