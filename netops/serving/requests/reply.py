"""Answers, as all servers send them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from netops.serving.engine.samples import BodyError

JSON = "application/json"
_NONE: Mapping[str, str] = MappingProxyType({})


class Reply(NamedTuple):
    """An answer: status, body (bytes, or a value that msgspec can encode), content type and further headers."""

    status: int
    body: object
    content_type: str = JSON
    headers: Mapping[str, str] = _NONE

    def encoded(self) -> bytes:
        """Return the encoded body."""
        return self.body if isinstance(self.body, bytes) else msgspec.json.encode(self.body)


def refusal(status: int, message: str) -> Reply:
    """Return an error answer."""
    return Reply(status, {"error": message})


def failure(error: Exception) -> Reply:
    """Return the answer to a request on which the server failed; details are not exposed."""
    return refusal(500, f"the server failed: {type(error).__name__}")


def no_such_path(path: str) -> BodyError:
    """Return the error for an unknown path."""
    return BodyError(f"no such path: {path[:100]}", 404)


def not_allowed(method: str) -> BodyError:
    """Return the error for a method that a path does not have."""
    return BodyError(f"Method Not Allowed: {method[:20]}", 405)


def too_large(limit: int) -> BodyError:
    """Return the error for a body larger than the limit in bytes."""
    return BodyError(f"the body has more than {limit} bytes", 413)
