"""Answers for the whole network: this process and its peers."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from urllib.parse import quote

import msgspec

from netops.serving.engine.samples import BodyError
from netops.serving.peers.client import PeerAnswer, PeerError
from netops.serving.peers.members import Member, Members
from netops.serving.requests.endpoint import Endpoint, Graph, Request
from netops.serving.requests.parameters import Query
from netops.serving.requests.processes import Answers, Found, Peer, unreachable
from netops.serving.requests.reply import JSON, Reply, refusal
from netops.serving.requests.scope import OWN, SCOPE, Own, missing_names, missing_numbers, own_of, read_own

#: Devices whose process is remembered.
_HINTS = 10_000


class Network:
    """The processes that read a stream (see ``requests.processes.Processes``).

    Parameters
    ----------
    graph : Graph
        Answers for this process.
    members : Members
        Its peers.
    """

    def __init__(self, graph: Graph, members: Members) -> None:
        assert graph.runtime.partitions is not None
        self.runtime, self.members = graph.runtime, members
        self._graph, self._partitions = graph, graph.runtime.partitions
        self._hints: OrderedDict[str, str] = OrderedDict()

    def own(self) -> Own:
        """Return this process with its partitions."""
        return own_of(self.runtime.network, self._partitions)

    def peers(self) -> list[Peer]:
        """Return the peers."""
        return self.members.peers()

    async def ask_all(
        self,
        endpoint: Endpoint,
        request: Request,
        query_of: Callable[[str], Query] | None = None,
        accepted: Collection[int] = (200,),
    ) -> Answers:
        """Ask each process for its own partitions (see :meth:`Processes.ask_all`)."""
        found = await self._ask_each(endpoint, request, query_of, accepted)
        if endpoint.method == "GET" and len(chosen(found)) < len(found):  # a partition moved meanwhile
            found = await self._ask_each(endpoint, request, query_of, accepted)
        if endpoint.method == "GET":
            found = chosen(found)
        missing = missing_numbers(one.own for one in found)
        return Answers(found, missing_names(missing, self._partitions.topic))

    async def ask(self, instance: str, endpoint: Endpoint, request: Request, query: Query) -> Found | None:
        """Ask one process (see :meth:`Processes.ask`)."""
        if instance == self._partitions.instance:
            return await self._ask_self(endpoint, request, query, ())
        member = next((one for one in self.members.live() if one.instance == instance), None)
        return None if member is None else await self._ask_peer(member, endpoint, request, query)

    async def ask_owner(self, endpoint: Endpoint, request: Request, name: str) -> Reply:
        """Ask the process that has something of this name (see :meth:`Processes.ask_owner`)."""
        own = await self._ask_self(endpoint, request, {}, (404,))
        if own.reply.status != 404:
            return own.reply
        if (hint := self._hints.get(name)) is not None:
            hinted = await self.ask(hint, endpoint, request, {})
            if hinted is not None and hinted.reply.status == 200:
                return hinted.reply
        answers = await self.ask_all(endpoint, request, accepted=(200, 404))
        for one in answers.found:
            if one.reply.status == 200:
                self._remember(name, one.own.instance)
                return one.reply
        if answers.missing:
            raise unreachable(answers.missing, f"'{name[:64]}' was not found")
        return own.reply

    def _remember(self, name: str, instance: str) -> None:
        self._hints[name] = instance
        self._hints.move_to_end(name)
        if len(self._hints) > _HINTS:
            self._hints.popitem(last=False)

    async def _ask_each(
        self,
        endpoint: Endpoint,
        request: Request,
        query_of: Callable[[str], Query] | None,
        accepted: Collection[int],
    ) -> list[Found]:
        query_of = query_of or _nothing
        members = [member for member in self.members.live() if member.instance is not None]
        asked = [
            asyncio.create_task(self._ask_peer(member, endpoint, request, query_of(str(member.instance))))
            for member in members
        ]
        try:
            own = await self._ask_self(endpoint, request, query_of(self._partitions.instance), accepted)
        except BaseException:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            raise
        found = [own]
        for one in await asyncio.gather(*asked):
            if one is not None and one.reply.status in accepted:
                found.append(one)
        return sorted(found, key=lambda one: (min(one.own.partitions, default=1 << 31), one.own.instance))

    async def _ask_self(
        self, endpoint: Endpoint, request: Request, query: Query, accepted: Collection[int]
    ) -> Found:
        try:
            reply = await endpoint.run(self._graph, replace(request, query={**request.query, **query}))
        except BodyError as error:
            if error.status not in accepted:
                raise
            reply = refusal(error.status, str(error))
        return Found(self.own(), reply, reply.body)

    async def _ask_peer(self, member: Member, endpoint: Endpoint, request: Request, query: Query) -> Found | None:
        """Ask a peer; None if it does not answer. If it is lost, it is not asked again until it has answered."""
        body = request.body if isinstance(request.body, bytes) else b""
        parameters = {**request.query, **query, SCOPE: OWN}
        try:
            # The method of the endpoint: HEAD is answered as GET.
            answer = await self.members.request(member, endpoint.method, quote(request.path), parameters, body)
            if is_rejected(answer):
                return None
            own = self.members.read(answer)
            value = msgspec.json.decode(answer.body, type=endpoint.answer) if answer.status == 200 else None
        except (PeerError, msgspec.DecodeError, UnicodeEncodeError) as error:
            self.members.fail(member, error)
            return None
        member.has_failed = False
        if own.instance == self._partitions.instance:
            return None
        return Found(own, Reply(answer.status, answer.body, JSON), value)


def is_rejected(answer: PeerAnswer) -> bool:
    """Return whether a peer rejects a request itself, such as its path, before an endpoint answers it."""
    return 400 <= answer.status < 500 and answer.status != 401 and read_own(answer.headers) is None


def _nothing(_: str) -> Query:
    return {}


def chosen(found: Sequence[Found]) -> list[Found]:
    """Return the answers without those about a partition that another process has taken over.

    A partition moves from one process to another between two answers, or a process has stopped for some time and
    has not noticed yet that it has lost its partitions: the higher fencing token counts. An answer cannot be split,
    so the other partitions in it are missing, too.
    """
    newest: dict[int, tuple[int, str]] = {}
    for one in found:
        for number, held in one.own.partitions.items():
            newest[number] = max(newest.get(number, (-1, "")), (held.generation, one.own.instance))
    return [one for one in found if all(newest[number][1] == one.own.instance for number in one.own.partitions)]
