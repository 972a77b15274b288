"""The peers of a process: found by name, and asked for their health in the background."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from netops.serving.engine.partitions import Partitions
from netops.serving.peers.addresses import PeerAddress, resolve
from netops.serving.peers.client import NoPeerError, PeerAnswer, PeerClient, PeerError
from netops.serving.requests.endpoints.health import HEALTH, Health
from netops.serving.requests.parameters import Query
from netops.serving.requests.processes import Peer
from netops.serving.requests.scope import OWN, SCOPE, Own, read_own

_LOG = logging.getLogger(__name__)
#: Seconds between two questions to each address, and between two lookups of the names.
_PROBE, _RESOLVE = 1.0, 5.0
#: Maximum requests to a peer at the same time; the one for its health is not counted.
MAX_REQUESTS = 16


class Member:
    """An address, and the process that answers there."""

    def __init__(self, address: PeerAddress) -> None:
        self.address, self.peer = address, Peer(address.url)
        self.probing: asyncio.Task[None] | None = None
        #: Whether its last request has failed; the next ones that fail are not logged.
        self.has_failed = False
        self.free = asyncio.Semaphore(MAX_REQUESTS)

    @property
    def instance(self) -> str | None:
        """The process; None while it does not answer."""
        return None if self.peer.own is None else self.peer.own.instance


class Members:
    """The peers of a process.

    Parameters
    ----------
    names : sequence of PeerAddress
        The addresses in the settings. A name with several addresses counts as each of them.
    client : PeerClient
    network : str
        Name of the network.
    partitions : Partitions
        The partitions of this process.
    """

    def __init__(
        self, names: Sequence[PeerAddress], client: PeerClient, network: str, partitions: Partitions
    ) -> None:
        self.client, self._names, self._network, self._partitions = client, names, network, partitions
        self._members: dict[PeerAddress, Member] = {}
        self._found: dict[PeerAddress, list[PeerAddress]] = {}

    def live(self) -> list[Member]:
        """Return the peers that answer, each once, without this process."""
        found: dict[str, Member] = {}
        for member in self._members.values():
            if member.instance is not None and member.instance != self._partitions.instance:
                found.setdefault(member.instance, member)
        return list(found.values())

    def peers(self) -> list[Peer]:
        """Return the peers that answer, and the addresses at which none does."""
        lost = [member for member in self._members.values() if member.instance is None]
        return [member.peer for member in (*self.live(), *lost)]

    def lose(self, member: Member, why: str) -> None:
        """Note that a peer does not answer; it is asked again in the background only."""
        if member.peer.own is not None:
            _LOG.warning("peer %s does not answer: %s", member.peer.url, why)
        self._put(member, Peer(member.address.url, why=why))

    def _put(self, member: Member, peer: Peer) -> None:
        """Note what is known of a peer, and which fencing token the owner of partition 0 has."""
        member.peer = peer
        held = [one.peer.own.partitions.get(0) for one in self._members.values() if one.peer.own is not None]
        self._partitions.peer_token = max((one.generation for one in held if one is not None), default=None)

    async def request(self, member: Member, method: str, path: str, query: Query, body: bytes = b"") -> PeerAnswer:
        """Send a request to a peer, once fewer than ``MAX_REQUESTS`` others wait for its answers.

        Raises
        ------
        PeerError
            If there is no answer; of a request that waits for others, after twice the time.
        """
        try:
            async with asyncio.timeout(self.client.timeout):
                await member.free.acquire()
        except TimeoutError:
            raise PeerError(f"{MAX_REQUESTS} requests wait for its answers") from None
        try:
            return await self.client.request(member.address, method, path, query, body)
        finally:
            member.free.release()

    def fail(self, member: Member, error: Exception) -> None:
        """Note that a request to a peer has failed. Whether it answers at all is asked in the background."""
        if isinstance(error, NoPeerError):
            self.lose(member, str(error))
        elif not member.has_failed:
            _LOG.warning("peer %s did not answer a request: %s", member.peer.url, error)
            member.has_failed = True

    def read(self, answer: PeerAnswer) -> Own:
        """Return the process that gave an answer.

        Raises
        ------
        NoPeerError
            If it is none that reads the same stream.
        """
        own = read_own(answer.headers)
        if own is None and answer.status in (200, 401):
            raise NoPeerError("it has another NETOPS_TOKEN, no champion, or does not read a stream")
        if own is None:
            raise NoPeerError(f"it is not a server that reads a stream (status {answer.status})")
        if (own.network, own.topic, own.group) != (self._network, self._partitions.topic, self._partitions.group):
            raise NoPeerError(f"it serves network {own.network} with topic {own.topic}, group {own.group}")
        return own

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask the peers for their health while the block runs."""
        tasks = [asyncio.create_task(self._keep_resolving()), asyncio.create_task(self._keep_probing())]
        try:
            yield
        finally:
            probes = [member.probing for member in self._members.values() if member.probing is not None]
            for task in (*tasks, *probes):
                task.cancel()
            await asyncio.gather(*tasks, *probes, return_exceptions=True)
            await self.client.close()

    async def _keep_resolving(self) -> None:
        while True:
            await asyncio.gather(*map(self._resolve, self._names))
            self._update()
            await asyncio.sleep(_RESOLVE)

    async def _resolve(self, name: PeerAddress) -> None:
        try:
            self._found[name] = await resolve(name)
        except (OSError, UnicodeError) as error:  # the addresses found before remain
            if name not in self._found:
                _LOG.warning("peers %s: %s", name.url, error)
            self._found.setdefault(name, [])

    def _update(self) -> None:
        wanted = {address for found in self._found.values() for address in found}
        for address in wanted - set(self._members):
            self._members[address] = Member(address)
        for address, member in list(self._members.items()):
            # One that still answers is about to end, and has partitions until then.
            if address not in wanted and member.instance is None:
                del self._members[address]

    async def _keep_probing(self) -> None:
        while True:
            for member in self._members.values():
                if member.probing is None or member.probing.done():
                    member.probing = asyncio.create_task(self._probe(member))
            await asyncio.sleep(_PROBE if self._members else _PROBE / 10)

    async def _probe(self, member: Member) -> None:
        try:
            answer = await self.client.request(member.address, "GET", HEALTH.path, {SCOPE: OWN})
            own = self.read(answer)
            health = msgspec.json.decode(answer.body, type=Health)
        except (PeerError, msgspec.DecodeError) as error:
            self.lose(member, str(error))
            return
        except Exception as error:  # noqa: BLE001 a fault in one probe must not end all others
            self.lose(member, f"{type(error).__name__}: {error}")
            return
        self._put(member, Peer(member.address.url, own, health, ""))
