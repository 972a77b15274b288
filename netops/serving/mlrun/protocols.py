"""Protocols of MLRun's and Nuclio's untyped objects."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol


class GraphContext(Protocol):
    """The context of a serving graph (``mlrun.serving.server.GraphContext``)."""

    server: object
    is_mock: bool
    Response: "type[GraphResponse]"

    def get_param(self, key: str) -> Any:
        """Return a parameter of the function; None if it has no such parameter."""


class GraphResponse(Protocol):
    """An answer with a status (``nuclio_sdk.Response``)."""

    def __init__(
        self, *, body: object, status_code: int, content_type: str, headers: dict[str, str] | None = None
    ) -> None: ...


class GraphEvent(Protocol):
    """A request on its way through the graph."""

    path: str
    method: str
    content_type: str
    terminated: bool
    #: Each step replaces it by its result.
    body: Any


class Trigger(Protocol):
    """The trigger of an event."""

    kind: str


class NuclioEvent(Protocol):
    """A message that Nuclio passes to the handler."""

    body: object
    path: str | None
    method: str | None
    content_type: str | None
    headers: Mapping[str, object] | None
    fields: Mapping[str, object] | None
    shard_id: int
    trigger: Trigger


class Platform(Protocol):
    """Nuclio's platform object."""

    def set_termination_callback(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call this when the worker is stopped."""
