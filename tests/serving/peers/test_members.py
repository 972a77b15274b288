"""Peers that are slow, hang, or answer too much: the others, and their own health, are asked as before."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import msgspec

from netops.serving.engine.partitions import Partitions
from netops.serving.peers.addresses import parse_peer
from netops.serving.peers.client import PeerClient
from netops.serving.peers.members import Members
from netops.serving.peers.network import Network
from netops.serving.requests.endpoint import Request
from netops.serving.requests.endpoints.alerts import ALERTS
from netops.serving.requests.endpoints.health import HEALTH, Health
from netops.serving.requests.reply import Reply
from netops.serving.requests.scope import OWN_HEADER, Held, Own, with_own
from tests.serving.hooks import Hook, status

TIMEOUT = 3.0


class PeerServer(Hook):
    """Answers for a partition; requests wait while it is slow, and questions about its health while it hangs."""

    def __init__(self, instance: str, number: int, body: bytes = b"[]", group: str = "g") -> None:
        own = with_own(Reply(200, b""), Own(instance, "demo", "t", 2, {number: Held(1, 1)}, group)).headers
        self._own, self.body = {"X_Netops_Own": own[OWN_HEADER]}, body
        self.is_slow, self.is_hung = threading.Event(), threading.Event()
        self.freed = threading.Event()
        super().__init__()

    def _handle(self, request: Any) -> None:
        is_health = request.path.startswith(HEALTH.path)
        if self.is_hung.is_set() or (self.is_slow.is_set() and not is_health):
            self.freed.wait(20)
        body = msgspec.json.encode(Health("ok", "demo", "v1", None, None, 1, 0)) if is_health else self.body
        self.answer = lambda *_: status(200, body, **self._own)
        super()._handle(request)

    def __exit__(self, *error: object) -> None:
        self.freed.set()
        super().__exit__(*error)


@asynccontextmanager
async def network_of(*peers: PeerServer, limit: int = 10_000) -> AsyncIterator[Network]:
    partitions = Partitions("t", instance="me", group="g")
    client = PeerClient(TIMEOUT, "secret", limit)
    members = Members([parse_peer(peer.url) for peer in peers], client, "demo", partitions)
    graph: Any = SimpleNamespace(runtime=SimpleNamespace(network="demo", partitions=partitions))
    async with members.running():
        while len(members.live()) < len(peers):
            await asyncio.sleep(0.02)
        yield Network(graph, members)


async def ask(network: Network, instance: str) -> bool:
    return await network.ask(instance, ALERTS, Request("GET", ALERTS.path), {}) is not None


def test_a_peer_that_hangs_does_not_delay_requests_to_others() -> None:
    async def run() -> None:
        with PeerServer("a", 0) as healthy, PeerServer("b", 1) as hung:
            async with network_of(healthy, hung) as network:
                hung.is_hung.set()
                waiting = [asyncio.create_task(ask(network, "b")) for _ in range(80)]
                await asyncio.sleep(0.1)
                assert [await ask(network, "a") for _ in range(3)] == [True] * 3
                assert not any(await asyncio.gather(*waiting))
                while len(live := network.members.live()) == 2:
                    await asyncio.sleep(0.05)
                assert [one.instance for one in live] == ["a"]
                (lost,) = (peer for peer in network.members.peers() if peer.own is None)
                assert "no answer within" in lost.why

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_peer_is_not_lost_by_slow_requests(caplog) -> None:
    async def run() -> None:
        with PeerServer("a", 0) as peer:
            async with network_of(peer) as network:
                peer.is_slow.set()
                assert not any(await asyncio.gather(*(ask(network, "a") for _ in range(20))))
                assert [one.instance for one in network.members.live()] == ["a"]
                peer.freed.set()
                assert await ask(network, "a")

    asyncio.run(asyncio.wait_for(run(), 60))
    found = [record.getMessage() for record in caplog.records if "did not answer a request" in record.message]
    assert len(found) == 1


def test_a_peer_is_not_lost_by_an_answer_that_is_too_large() -> None:
    async def run() -> None:
        with PeerServer("a", 0, b"[" + b" " * 2000 + b"]") as peer:
            async with network_of(peer, limit=1000) as network:
                assert not await ask(network, "a")
                assert [one.instance for one in network.members.live()] == ["a"]

    asyncio.run(asyncio.wait_for(run(), 60))


def test_text_of_a_client_cannot_lose_a_peer() -> None:
    async def run() -> None:
        with PeerServer("a", 0) as peer:
            async with network_of(peer) as network:
                for request in (
                    Request("GET", ALERTS.path, query={"text": "\ud800"}),
                    Request("GET", "/alerts/\ud800"),
                    Request("GET", ALERTS.path, content_type="application/json; x=\u00e9"),
                ):
                    await network.ask("a", ALERTS, request, {})
                    assert [one.instance for one in network.members.live()] == ["a"]

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_process_of_another_group_is_no_peer() -> None:
    async def run() -> None:
        with PeerServer("a", 0) as peer, PeerServer("b", 0, group="other") as other:
            async with network_of(peer) as network:
                found = Members([parse_peer(other.url)], network.members.client, "demo", network._partitions)
                async with found.running():
                    while "group other" not in str(found.peers()):
                        await asyncio.sleep(0.02)
                    assert found.live() == []

    asyncio.run(asyncio.wait_for(run(), 60))


def test_the_fencing_token_of_the_owner_of_partition_0_is_known_while_it_answers() -> None:
    async def run() -> None:
        with PeerServer("a", 0) as zero, PeerServer("b", 1) as other:
            async with network_of(zero, other) as network:
                partitions = network._partitions
                assert partitions.roll_up_token == 1
                zero.is_hung.set()
                while len(network.members.live()) == 2:
                    await asyncio.sleep(0.05)
                assert partitions.roll_up_token is None

    asyncio.run(asyncio.wait_for(run(), 60))
