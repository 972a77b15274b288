"""Endpoints for servers without a web framework: mock server and Nuclio function.

Paths, parameters, limits and answers are those of the HTTP server.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from netops.errors import UsageError
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests import feedback, queries
from netops.serving.requests.schemas import History

#: Parameters of a query: text from an address, numbers from Nuclio.
Query: TypeAlias = Mapping[str, object]


JSON = "application/json"
MODEL_NAME = "netops"
#: Paths of samples, and of feature vectors by MLRun's V2 protocol.
TELEMETRY, REMOTE_WRITE = "/telemetry", "/api/v1/write"
MODEL_PATH = f"/v2/models/{MODEL_NAME}"
INFER = f"{MODEL_PATH}/infer"


class Bounds(NamedTuple):
    """Bounds of a query parameter, and its value if it is absent."""

    minimum: int
    maximum: int
    default: int


LIMIT, OFFSET, CURSOR = Bounds(1, 100_000, 1000), Bounds(0, 10_000_000, 0), Bounds(0, 2**62, 0)


class Reply(NamedTuple):
    """An answer: status, body (bytes, or a value that msgspec can encode) and content type."""

    status: int
    body: object
    content_type: str = JSON

    def encoded(self) -> bytes:
        """Return the encoded body."""
        return self.body if isinstance(self.body, bytes) else msgspec.json.encode(self.body)


def refusal(status: int, message: str) -> Reply:
    """Return an error answer."""
    return Reply(status, {"error": message})


def failure(error: Exception) -> Reply:
    """Return the answer to a request on which the server failed; details are not exposed."""
    return refusal(500, f"the server failed: {type(error).__name__}")


def ask(runtime: Runtime, method: str, path: str, query: Query, body: object = b"") -> Reply:
    """Answer a query or record feedback.

    Parameters
    ----------
    runtime : Runtime
        The served network.
    method, path : str
        Method, and path without a trailing slash.
    query : mapping
        The query parameters.
    body : bytes, str or plain values
        The raw body, or the one parsed by MLRun.
    """
    if feedback.accepts(path):
        return _record(runtime, path, body) if method == "POST" else not_allowed(method)
    if (handler := _QUERIES.get(path)) is None:
        return refusal(404, f"no such path: {path[:100]}")
    if method not in ("GET", "HEAD"):
        return not_allowed(method)
    try:
        found = handler(runtime, query)
    except BodyError as error:
        return refusal(error.status, str(error))
    if isinstance(found, bytes):
        return Reply(200, found, queries.METRICS_TYPE)
    return Reply(200, found)


def _record(runtime: Runtime, path: str, body: object) -> Reply:
    content = body if isinstance(body, (bytes, str)) else msgspec.json.encode(body)
    try:
        return Reply(200, feedback.handle(runtime, path, content))
    except BodyError as error:
        return refusal(error.status, str(error))


def not_allowed(method: str) -> Reply:
    """Return the answer to a method that a path does not have."""
    return refusal(405, f"Method Not Allowed: {method[:20]}")


def _history(runtime: Runtime, query: Query) -> object:
    if not query.get("device"):
        raise BodyError("device: missing; use /history?device=<name>", 400)
    return history(runtime, str(query["device"]))


def history(runtime: Runtime, device: str) -> History:
    """Return the samples in a device's windows.

    Raises
    ------
    BodyError
        If the device is unknown.
    """
    try:
        return queries.history(runtime, device)
    except UsageError as error:
        raise BodyError(str(error), 404) from None


def _alerts(runtime: Runtime, query: Query) -> object:
    return queries.alerts(runtime, _flag(query, "all"), _number(query, "limit", LIMIT))


def _devices(runtime: Runtime, query: Query) -> object:
    limit, offset = _number(query, "limit", LIMIT), _number(query, "offset", OFFSET)
    return queries.devices(runtime, limit, offset)


def _number(query: Query, name: str, bounds: Bounds) -> int:
    text = str(query.get(name, bounds.default))
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not bounds.minimum <= value <= bounds.maximum:
        expected = f"expected a number from {bounds.minimum} to {bounds.maximum}"
        raise BodyError(f"{name}: {expected}, found '{text[:40]}'", 400)
    return value


def _flag(query: Query, name: str) -> bool:
    text = str(query.get(name, "false")).lower()
    if text not in ("true", "false", "1", "0"):
        raise BodyError(f"{name}: expected true or false, found '{text[:40]}'", 400)
    return text in ("true", "1")


#: Path → handler.
_QUERIES: dict[str, Callable[[Runtime, Query], object]] = {
    "/healthz": lambda runtime, _: queries.health(runtime),
    "/readyz": lambda runtime, _: queries.health(runtime),
    "/alerts": _alerts,
    "/devices": _devices,
    "/fleet": lambda runtime, query: queries.fleet(runtime, _number(query, "since", CURSOR)),
    "/history": _history,
    "/feedback": lambda runtime, _: queries.feedback(runtime),
    "/metrics": lambda runtime, _: runtime.metrics.export(),
}
