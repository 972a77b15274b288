"""What an endpoint needs of the other processes to answer for the whole network."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from netops.serving.engine.runtime import Runtime
from netops.serving.engine.samples import BodyError
from netops.serving.requests.parameters import Query
from netops.serving.requests.reply import Reply
from netops.serving.requests.scope import MISSING_HEADER, Own, with_header

if TYPE_CHECKING:
    from netops.serving.requests.endpoint import Endpoint, Request


@dataclass(frozen=True)
class Found:
    """The answer of a process.

    Attributes
    ----------
    own : Own
        The process, with the partitions that it answers for.
    reply : Reply
        Its body is bytes, or the value itself if this process answers.
    value : object
        The decoded body, if the status is 200.
    """

    own: Own
    reply: Reply
    value: Any = None


@dataclass(frozen=True)
class Answers:
    """The answers of all processes, by lowest partition.

    Attributes
    ----------
    found : sequence of Found
    missing : sequence of str
        Names of the partitions that no process has answered for.
    """

    found: Sequence[Found]
    missing: Sequence[str]

    def reply(self, value: object) -> Reply:
        """Return an answer that is combined from these, with the partitions that are missing in it."""
        return marked(Reply(200, value), self.missing)


@dataclass
class Peer:
    """Another process, as last seen in the background.

    Attributes
    ----------
    url : str
        Its address.
    own : Own or None
        Its partitions; None while it does not answer.
    health : object
        Its own health, of the type of ``GET /healthz``; None while it does not answer.
    why : str
        Why it does not answer; empty if it does.
    """

    url: str
    own: Own | None = None
    health: Any = None
    why: str = "not asked yet"


class Processes(Protocol):
    """The processes that read a topic: this one and its peers."""

    #: Of this process.
    runtime: Runtime

    def own(self) -> Own:
        """Return this process with its partitions."""

    def peers(self) -> Sequence[Peer]:
        """Return the peers that are known, without this process."""

    async def ask_all(
        self,
        endpoint: "Endpoint",
        request: "Request",
        query_of: Callable[[str], Query] | None = None,
        accepted: Collection[int] = (200,),
    ) -> Answers:
        """Ask each process for its own partitions.

        Parameters
        ----------
        endpoint : Endpoint
        request : Request
        query_of : callable, optional
            Returns further parameters for a process (instance).
        accepted : collection of int
            Statuses that are answers. Of this process, another one is raised; a peer with another one is missing.

        Raises
        ------
        BodyError
            If this process rejects the request.
        """

    async def ask(self, instance: str, endpoint: "Endpoint", request: "Request", query: Query) -> Found | None:
        """Ask one process; None if it does not answer."""

    async def ask_owner(self, endpoint: "Endpoint", request: "Request", name: str) -> Reply:
        """Ask the process that has something of this name: the first whose answer is not 404.

        Raises
        ------
        BodyError
            404 if none has it; 503 if a partition without an owner may have it.
        """


#: Answers a request for the whole network.
Combination: TypeAlias = Callable[[Processes, "Endpoint", "Request"], Awaitable[Reply]]


@dataclass(frozen=True)
class Merged:
    """Each process answers for its partitions; the answers are merged.

    Attributes
    ----------
    merge : callable
        Called with the answers and the parameters of the request (None if it has none).
    """

    merge: Callable[[Sequence[Any], Any], object]

    async def __call__(self, processes: Processes, endpoint: "Endpoint", request: "Request") -> Reply:
        """Answer a request."""
        parameters = endpoint.parameters
        query = None if parameters is None else parameters.read(request.query)
        answers = await processes.ask_all(endpoint, request)
        if not answers.found:  # this process has lost its partitions, and is the only one that answers
            raise unreachable(answers.missing, "nothing was found")
        return answers.reply(self.merge([one.value for one in answers.found], query))


@dataclass(frozen=True)
class ByName:
    """The process that has what a parameter names answers.

    Attributes
    ----------
    parameter : str
        The name of the parameter.
    """

    parameter: str

    async def __call__(self, processes: Processes, endpoint: "Endpoint", request: "Request") -> Reply:
        """Answer a request."""
        return await processes.ask_owner(endpoint, request, str(request.query.get(self.parameter, "")))


def marked(reply: Reply, missing: Sequence[str]) -> Reply:
    """Name the partitions that are missing in an answer."""
    return with_header(reply, MISSING_HEADER, ", ".join(missing)) if missing else reply


def unreachable(missing: Sequence[str], what: str) -> BodyError:
    """Return the error of a request that a partition without an owner may concern."""
    return BodyError(f"{what}: no process answers for {', '.join(missing)}; try again later", 503)
