"""The syslog listener of a server: UDP and TCP on one port."""

import asyncio

from netops.serving.syslog.address import Network, Senders, Sockets
from netops.serving.syslog.feeder import AddLines, Feeder
from netops.serving.syslog.metrics import SyslogMetrics
from netops.serving.syslog.tcp import Connection, Connections, Limits
from netops.serving.syslog.udp import Receiver

#: Seconds between two looks for idle connections.
_SWEEP = 1.0
#: At the end: seconds without data after which everything is received, and at most.
_QUIET, _END = 0.05, 2.0


class SyslogListener:
    """Receives lines from the start to the end of a server.

    Parameters
    ----------
    sockets : Sockets
        Closed at the end.
    networks : sequence of networks
        From which lines are accepted; if empty, from everywhere.
    limits : Limits
    longest : int
        Maximum length of a line in bytes; of longer ones, the start is read.
    add_lines : callable
        Receives lines and the addresses of their senders.
    metrics : SyslogMetrics
    """

    def __init__(
        self,
        sockets: Sockets,
        networks: tuple[Network, ...],
        limits: Limits,
        longest: int,
        add_lines: AddLines,
        metrics: SyslogMetrics,
    ) -> None:
        self._sockets, self._feeder, senders = sockets, Feeder(add_lines), Senders(networks)
        self._connections = Connections(limits, longest, senders, self._feeder, metrics)
        self._receiver = Receiver(sockets.udp, longest, senders, self._feeder, metrics)
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept connections and datagrams."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self._connections), sock=self._sockets.tcp)
        self._receiver.start()
        self._sweeping = loop.create_task(self._sweep())

    async def close(self) -> None:
        """Accept nothing more, and process what was received."""
        if self._server is None or self._sweeping is None:
            return
        await self._receive_rest()
        self._server.close()
        self._receiver.stop()
        self._sweeping.cancel()
        self._connections.close()
        while not self._feeder.is_idle or len(self._connections):
            await asyncio.sleep(_QUIET)
        self._sockets.close()

    async def _receive_rest(self) -> None:
        """Process lines as long as there are some, since they were sent before."""
        loop = asyncio.get_running_loop()
        end, before = loop.time() + _END, -1
        while loop.time() < end and (not self._feeder.is_idle or self._feeder.lines != before):
            before = self._feeder.lines
            await asyncio.sleep(_QUIET)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            self._connections.sweep(asyncio.get_running_loop().time())
