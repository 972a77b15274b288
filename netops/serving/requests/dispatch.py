"""Answers requests, independent of the server: access, routing, limits and errors.

The HTTP server (its fast path and its framework) and the Nuclio function convert their requests and the replies.
"""

from collections.abc import Awaitable, Callable

from netops.serving.engine.partitions import Partitions
from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests import registry
from netops.serving.requests.access import Access
from netops.serving.requests.endpoint import Endpoint, Graph, Request, StateEndpoint
from netops.serving.requests.processes import Processes, marked
from netops.serving.requests.reply import Reply, failure, no_such_path, refusal, too_large
from netops.serving.requests.scope import is_own, missing_names, missing_numbers, own_of, with_own

#: Tags of endpoints whose requests have a state, which belongs to the partitions of a stream if there is one.
_SAMPLES = ("telemetry", "logs")
#: Tag of endpoints with which processes ask each other.
_PEERS = "peers"
_IN_STREAM = "this server reads its samples from the topic {}; send them there"


class Dispatcher:
    """Answers the requests of a server.

    Parameters
    ----------
    graph : Graph
        The started graph.
    access : Access
        Decides which requests are answered.
    processes : Processes, optional
        The processes that read the same stream; None: this one answers for its own partitions only.
    """

    def __init__(self, graph: Graph, access: Access, processes: Processes | None = None) -> None:
        self.graph, self.access, self.processes = graph, access, processes
        self.limit = graph.runtime.settings.limits.body_bytes

    async def answer(self, request: Request, receive: Callable[[], Awaitable[bytes]] | None = None) -> Reply:
        """Answer a request; an error is an answer too.

        Parameters
        ----------
        request : Request
        receive : callable, optional
            Reads the body, if it is not read yet: only that of an allowed request is read.
        """
        return await replied(self._answer(request, receive))

    def check(self, path: str, authorization: str | bytes) -> None:
        """Check that a request is allowed.

        Raises
        ------
        BodyError
            401 if it is not.
        """
        if not self.access.allows(authorization) and not registry.ENDPOINTS.is_open(path):
            raise BodyError(self.access.message, 401)

    async def _answer(self, request: Request, receive: Callable[[], Awaitable[bytes]] | None) -> Reply:
        self.check(request.path, request.authorization)
        request.is_allowed = self.access.allows(request.authorization)
        endpoint, values = registry.ENDPOINTS.find(request.method, request.path)
        if endpoint.tag in _SAMPLES and self.graph.runtime.partitions is not None:
            raise BodyError(_IN_STREAM.format(self.graph.runtime.partitions.topic), 409)
        if values:
            request.query = {**request.query, **values}
        if request.length > self.limit:
            raise too_large(self.limit)
        if receive is not None and endpoint.body:
            request.body = await receive()
        return await self._combined(endpoint, request)

    async def _combined(self, endpoint: Endpoint, request: Request) -> Reply:
        """Answer for the own partitions, or for those of all processes."""
        partitions = self.graph.runtime.partitions
        is_alone = is_own(request.query) if endpoint.combine or endpoint.tag == _PEERS else False
        if partitions is not None and is_alone:
            reply = await replied(endpoint.run(self.graph, request))
            # An open endpoint does not reveal it.
            return with_own(reply, own_of(self.graph.runtime.network, partitions)) if request.is_allowed else reply
        if partitions is None or endpoint.combine is None:
            return await endpoint.run(self.graph, request)
        if self.processes is not None:
            return await endpoint.combine(self.processes, endpoint, request)
        reply = await replied(endpoint.run(self.graph, request))
        return reply if endpoint.is_open else marked(reply, self._elsewhere(partitions))

    def _elsewhere(self, partitions: Partitions) -> list[str]:
        """Return the names of the partitions that this process does not have."""
        return missing_names(missing_numbers([own_of(self.graph.runtime.network, partitions)]), partitions.topic)


def ask(runtime: Runtime, request: Request) -> Reply:
    """Answer a request from the state, without access control: for the mock server, within the graph."""
    try:
        endpoint, values = registry.ENDPOINTS.find(request.method, request.path)
        if not isinstance(endpoint, StateEndpoint):
            raise no_such_path(request.path)
        request.query = {**request.query, **values}
        return endpoint.reply(runtime, request)
    except BodyError as error:
        return refusal(error.status, str(error))


async def replied(work: Awaitable[Reply]) -> Reply:
    """Return the response to a request, or the one of its error."""
    try:
        return await work
    except BodyError as error:
        return refusal(error.status, str(error))
    except Exception as error:  # noqa: BLE001 a request must not end the server
        return failure(error)
