"""The listener over real sockets: both transports, limits, who may send, back-pressure and the end."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
import uvloop
from prometheus_client import CollectorRegistry

from netops.serving.settings import LimitSettings
from netops.serving.syslog.address import Address, bind_both, parse_networks
from netops.serving.syslog.feeder import SLICE
from netops.serving.syslog.listener import SyslogListener
from netops.serving.syslog.metrics import SyslogMetrics

LIMITS = LimitSettings()


class Running:
    """A listener, and what it handed over."""

    def __init__(
        self, limits: LimitSettings = LIMITS, networks: Sequence[str] = (), seconds: float = 0.0, longest: int = 200
    ) -> None:
        self.registry, self.seconds = CollectorRegistry(), seconds
        self.lines: list[tuple[str, str]] = []
        self.slices: list[int] = []
        sockets = bind_both(Address("127.0.0.1", 0), 1 << 20)
        self.address = sockets.address
        metrics = SyslogMetrics(self.registry, "demo")
        self.listener = SyslogListener(sockets, parse_networks(networks), limits, longest, self.add, metrics)

    def add(self, lines: Sequence[str], peers: Sequence[str]) -> None:
        assert len(lines) == len(peers)
        self.slices.append(len(lines))
        self.lines += zip(lines, peers, strict=True)
        if self.seconds:
            import time

            time.sleep(self.seconds)

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, {"network": "demo", **labels}) or 0.0

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.005)

    async def connect(self) -> asyncio.StreamWriter:
        return (await asyncio.open_connection(*self.address))[1]


def run(work: Callable[[Running], Awaitable[None]], loop: str = "asyncio", **options: object) -> Running:
    async def main() -> Running:
        running = Running(**options)  # type: ignore[arg-type]
        await running.listener.start()
        try:
            await work(running)
        finally:
            await running.listener.close()
        return running

    return uvloop.run(main()) if loop == "uvloop" else asyncio.run(main())


def send_datagrams(address: Address, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for datagram in datagrams:
            udp.sendto(datagram, address)


LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@LOOPS
def test_lines_of_both_transports_are_handed_over(loop: str) -> None:
    async def work(running: Running) -> None:
        writer = await running.connect()
        writer.write(b"<1>a\n6 <1>b\nc<1>d\n")
        send_datagrams(running.address, b"<1>e", b"<1>f\n<1>g\n")
        await running.until(lambda: len(running.lines) == 6)
        writer.close()

    found = run(work, loop)
    assert sorted(found.lines) == [(f"<1>{text}", "127.0.0.1") for text in ("a", "b\nc", "d", "e", "f", "g")]
    assert (
        found.value("netops_syslog_lines_total", transport="tcp"),
        found.value("netops_syslog_connections"),
    ) == (*(3, 0),)
    assert found.value("netops_syslog_lines_total", transport="udp") == 3
    assert found.value("netops_syslog_bytes_total", transport="udp") == 14


@LOOPS
def test_what_was_received_is_processed_at_the_end(loop: str) -> None:
    async def work(running: Running) -> None:
        with socket.create_connection(running.address) as connection:
            connection.sendall(b"<1>x\n" * 5000 + b"<1>last")
        send_datagrams(running.address, *[b"<1>y"] * 100)

    found = run(work, loop)
    lines = [line for line, _ in found.lines]
    assert (lines.count("<1>x"), lines.count("<1>last"), lines.count("<1>y")) == (5000, 1, 100)
    assert max(found.slices) <= SLICE


def test_an_open_connection_is_closed_at_the_end_and_its_line_cut() -> None:
    reader: list[asyncio.StreamReader] = []

    async def work(running: Running) -> None:
        stream, writer = await asyncio.open_connection(*running.address)
        writer.write(b"<1>a\n<1>incomplete")
        reader.append(stream)
        await running.until(lambda: len(running.lines) == 1)
        await running.listener.close()
        assert await stream.read() == b""
        writer.close()

    found = run(work)
    assert [line for line, _ in found.lines] == ["<1>a", "<1>incomplete"]
    assert found.value("netops_syslog_lines_cut_total") == 1


def test_a_sender_waits_while_the_server_is_slow() -> None:
    sent: list[int] = []

    async def work(running: Running) -> None:
        writer = await running.connect()
        for _ in range(200):
            writer.write(b"<1>" + b"x" * 96 + b"\n" * 1 + (b"<1>" + b"y" * 96 + b"\n") * 99)
            with suppress(TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.01)
        sent.append(len(running.lines))
        (connection,) = running.listener._connections._open
        assert connection._framer.size < 1 << 20
        writer.close()
        await running.until(lambda: len(running.lines) == 20_000)

    run(work, seconds=0.002)
    assert sent[0] < 20_000


def test_many_senders_share_slices_and_none_waits_for_another() -> None:
    async def work(running: Running) -> None:
        writers = [await running.connect() for _ in range(20)]
        writers[0].write(b"<1>first\n" * 20_000)
        for number, writer in enumerate(writers[1:]):
            writer.write(b"<1>other %d\n" % number)
        await running.until(lambda: len(running.lines) == 20_019)
        for writer in writers:
            writer.close()

    lines = [line for line, _ in run(work).lines]
    assert max(index for index, line in enumerate(lines) if "other" in line) < 10_000


def test_only_some_networks_may_send() -> None:
    async def work(running: Running) -> None:
        reader, writer = await asyncio.open_connection(*running.address)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        send_datagrams(running.address, b"<1>a", b"<1>b")
        await running.until(lambda: running.value("netops_syslog_refused_total", transport="udp") == 2)

    found = run(work, networks=["10.0.0.0/8", "::1/128"])
    assert found.lines == []
    assert found.value("netops_syslog_refused_total", transport="tcp") == 1


def test_too_many_connections_close_the_one_idle_longest() -> None:
    async def work(running: Running) -> None:
        first, writer = await asyncio.open_connection(*running.address)
        others = [await running.connect() for _ in range(2)]
        async with asyncio.timeout(30):
            assert await first.read() == b""
        for number, other in enumerate(others):
            other.write(b"<1>%d\n" % number)
        await running.until(lambda: len(running.lines) == 2)
        for each in (writer, *others):
            each.close()

    found = run(work, limits=replace(LIMITS, syslog_connections=2))
    assert found.value("netops_syslog_connections_closed_total") == 1


@pytest.mark.parametrize(
    ("limits", "sent", "cut"),
    [
        ({"syslog_idle_seconds": 0.1}, b"<1>a\n", 0),
        ({"syslog_line_seconds": 0.1}, b"<1>a\n<1>slow", 1),
    ],
)
def test_an_idle_connection_and_a_slow_line_are_ended(limits: dict[str, float], sent: bytes, cut: int) -> None:
    async def work(running: Running) -> None:
        reader, writer = await asyncio.open_connection(*running.address)
        writer.write(sent)
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()

    found = run(work, limits=replace(LIMITS, **limits))
    assert [line for line, _ in found.lines] == sent.decode().split()
    assert found.value("netops_syslog_connections_closed_total") == 1
    assert found.value("netops_syslog_lines_cut_total") == cut


def test_long_lines_are_cut() -> None:
    async def work(running: Running) -> None:
        send_datagrams(running.address, b"<1>" + b"x" * 500)
        writer = await running.connect()
        writer.write(b"<1>" + b"y" * 500_000 + b"\n<1>z\n")
        await running.until(lambda: len(running.lines) == 3)
        writer.close()

    found = run(work)
    assert {line[:4]: len(line) for line, _ in found.lines} == {"<1>x": 200, "<1>y": 200, "<1>z": 4}
    assert found.value("netops_syslog_lines_cut_total") == 2


def test_a_line_longer_than_the_buffer_of_a_connection_is_complete() -> None:
    async def work(running: Running) -> None:
        writer = await running.connect()
        writer.write(b"<1>" + b"y" * 900_000 + b"\n<1>z\n")
        await running.until(lambda: len(running.lines) == 2)
        writer.close()

    found = run(work, longest=1 << 20)
    assert [len(line) for line, _ in found.lines] == [900_003, 4]


def test_datagrams_that_the_system_dropped_are_counted() -> None:
    async def work(running: Running) -> None:
        running.listener._sockets.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        send_datagrams(running.address, *[b"<1>" + b"x" * 90] * 1000)  # the loop cannot read meanwhile
        await running.until(lambda: len(running.lines) > 0)
        await asyncio.sleep(0.05)
        send_datagrams(running.address, b"<1>last")
        await running.until(lambda: running.lines[-1][0] == "<1>last")

    found = run(work)
    assert len(found.lines) + found.value("netops_syslog_datagrams_dropped_total") == 1001


def test_a_failing_intake_does_not_end_the_listener() -> None:
    async def work(running: Running) -> None:
        add, failures = running.listener._feeder._add_lines, [ValueError("broken")]

        def failing(lines: Sequence[str], peers: Sequence[str]) -> object:
            if failures:
                raise failures.pop()
            return add(lines, peers)

        running.listener._feeder._add_lines = failing
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: logged.append(context))
        send_datagrams(running.address, b"<1>a")
        await running.until(lambda: not failures)
        send_datagrams(running.address, b"<1>b")
        await running.until(lambda: len(running.lines) == 1)

    logged: list[object] = []
    run(work)
    assert len(logged) == 1
