"""The declaration of an endpoint.

The HTTP server, its OpenAPI description, the reference in the docs, the mock server and the Nuclio function are
derived from it. ``registry`` lists all declarations.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from inspect import cleandoc
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, get_type_hints

import msgspec

from netops.serving.alerts.store_guard import for_a_request
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests.parameters import Parameters, Query
from netops.serving.requests.processes import Combination
from netops.serving.requests.reply import JSON, Reply

Method: TypeAlias = Literal["GET", "POST"]
#: Content type → types of a body; bytes: a binary body.
Bodies: TypeAlias = Mapping[str, tuple[Any, ...]]
#: Status → when it is answered.
Errors: TypeAlias = Mapping[int, str]

T = TypeVar("T")
STORE_ERROR: Errors = {503: "The alert store is unavailable"}
_SECTION = re.compile(r"\n\n\w+\n-{3,}\n")


@dataclass(slots=True)
class Request:
    """A request, independent of the server.

    Attributes
    ----------
    method, path : str
        Method, and path without a trailing slash.
    body : bytes, str or plain values
        The raw body, or the values that Nuclio or the mock server have parsed.
    content_type : str
        Of the body; JSON if empty.
    query : mapping
        The query parameters.
    authorization : str or bytes
        The header of this name.
    length : int
        Size of the body in bytes, as far as known.
    encoding : str
        The header ``Content-Encoding``.
    is_allowed : bool
        Whether it has the token; without it, an open endpoint shows less.
    """

    method: str
    path: str
    body: object = b""
    content_type: str = ""
    query: Query = field(default_factory=dict)
    authorization: str | bytes = ""
    length: int = 0
    encoding: str = ""
    is_allowed: bool = True


class Graph(Protocol):
    """The serving graph, as endpoints use it (``serving.mlrun.service.Service``)."""

    runtime: Runtime

    async def process(self, body: object, content_type: str) -> bytes:
        """Process the samples of a body; return the answers as JSON."""

    async def score_log_devices(self) -> None:
        """Score the devices without metrics for which it is time."""

    async def score(self, body: object, path: str) -> tuple[int, dict[str, object]]:
        """Score feature vectors; return status and answer."""

    def infer(self, body: object, path: str, method: str) -> tuple[int, dict[str, object]]:
        """Query the model; return status and answer."""


@dataclass(frozen=True)
class Endpoint(ABC):
    """An endpoint.

    Attributes
    ----------
    method, path : str
        HTTP method, and path; ``{name}`` in the path is a parameter, ``{name:path}`` one that may contain slashes.
    handler : callable
        Answers a request; its docstring is the description.
    tag : str
        Heading in the OpenAPI description.
    bodies : mapping
        Content type → types of the accepted bodies.
    errors : mapping
        Further statuses, and when they are answered.
    is_open : bool
        Whether no token is required.
    is_fast : bool
        Whether the HTTP server answers it without the web framework, as JSON.
    is_http : bool
        Whether the HTTP server has it; False: only the mock server and the Nuclio function.
    status, content_type
        Of the answer.
    is_stored : bool
        Whether it records something, which must be durable before it is answered.
    combine : callable, optional
        Answers for the whole network if several processes read a stream; None: each for its own partitions.
    """

    method: Method
    path: str
    handler: Callable[..., Any]
    tag: str = "state"
    bodies: Bodies = field(default_factory=dict)
    errors: Errors = field(default_factory=dict)
    is_open: bool = False
    is_fast: bool = False
    is_http: bool = True
    status: int = 200
    content_type: str = JSON
    is_stored: bool = False
    combine: Combination | None = None

    @abstractmethod
    def run(self, graph: Graph, request: Request) -> Awaitable[Reply]:
        """Answer a request.

        Raises
        ------
        BodyError
            If it is invalid.
        """

    @property
    @abstractmethod
    def answer(self) -> Any:
        """The type of the answer; None: an empty one."""

    @property
    def parameters(self) -> Parameters | None:
        """The parameters; None if there are none."""
        return None

    @property
    def body(self) -> Bodies:
        """The accepted bodies."""
        return self.bodies

    @property
    def description(self) -> str:
        """The docstring of the handler, without its sections."""
        return _SECTION.split(cleandoc(self.handler.__doc__ or ""))[0].strip()


@dataclass(frozen=True)
class StateEndpoint(Endpoint):
    """An endpoint that is answered from the state: a query, or feedback.

    The annotations of ``handler(runtime, query, body)`` declare the rest: ``query`` is a struct of the parameters,
    ``body`` a struct that is decoded from JSON, or bytes (then ``bodies`` describes it), and the result is the
    answer. A handler without parameters or body has no such argument.
    """

    async def run(self, graph: Graph, request: Request) -> Reply:
        """Answer a request (see :meth:`Endpoint.run`)."""
        reply = self.reply(graph.runtime, request)
        if self.is_stored:
            with for_a_request():
                for part in graph.runtime.parts:
                    await part.flush()
        return reply

    def reply(self, runtime: Runtime, request: Request) -> Reply:
        """Answer a request without a graph."""
        arguments: list[object] = []
        if self.parameters is not None:
            arguments.append(self.parameters.read(request.query))
        if "body" in self._hints:
            arguments.append(self._decoded(request.body))
        return Reply(self.status, self.handler(runtime, *arguments), self.content_type)

    def _decoded(self, body: object) -> object:
        raw = body.encode() if isinstance(body, str) else body
        # Nuclio and the mock server may have parsed it.
        content = raw if isinstance(raw, bytes) else msgspec.json.encode(raw)
        return content if self._decoder is None else decode(content, self._decoder)

    @property
    def answer(self) -> Any:
        """The type of the answer."""
        return self._hints["return"]

    @cached_property
    def parameters(self) -> Parameters | None:
        """The parameters; None if there are none."""
        struct = self._hints.get("query")
        return None if struct is None else Parameters(struct, self.path)

    @property
    def body(self) -> Bodies:
        """The accepted bodies."""
        return self.bodies or ({JSON: (self._hints["body"],)} if "body" in self._hints else {})

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.handler, include_extras=True)

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any] | None:
        kind = self._hints["body"]
        return None if kind is bytes else msgspec.json.Decoder(kind)


@dataclass(frozen=True)
class GraphEndpoint(Endpoint):
    """An endpoint that runs the serving graph: ``await handler(graph, request)`` returns a :class:`Reply`.

    Attributes
    ----------
    answers : type
        The type of the answer; None: an empty one.
    query : type, optional
        Struct of the parameters; then the handler is called with one as its third argument.
    """

    answers: Any = None
    query: type[msgspec.Struct] | None = None

    def run(self, graph: Graph, request: Request) -> Awaitable[Reply]:
        """Answer a request (see :meth:`Endpoint.run`)."""
        parameters = self.parameters
        given = () if parameters is None else (parameters.read(request.query),)
        reply: Awaitable[Reply] = self.handler(graph, request, *given)
        return reply

    @property
    def answer(self) -> Any:
        """The type of the answer."""
        return self.answers

    @cached_property
    def parameters(self) -> Parameters | None:
        """The parameters; None if there are none."""
        return None if self.query is None else Parameters(self.query, self.path)


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode a JSON body.

    Raises
    ------
    BodyError
        400 if it is invalid.
    """
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise BodyError(str(error)[:300], 400) from None
