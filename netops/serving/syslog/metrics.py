"""Prometheus metrics of a syslog listener; those of the messages themselves are the intake's."""

from prometheus_client import CollectorRegistry, Counter, Gauge

UDP, TCP = "udp", "tcp"


class SyslogMetrics:
    """Counters and gauges of a listener.

    Parameters
    ----------
    registry : CollectorRegistry
    network : str
        The value of the label ``network`` of every series.
    """

    def __init__(self, registry: CollectorRegistry, network: str) -> None:
        self._registry, self._network = registry, network
        self.lines = self._by_transport("netops_syslog_lines", "Lines of syslog that were received")
        self.bytes = self._by_transport("netops_syslog_bytes", "Bytes of syslog that were received")
        self.refused = self._by_transport(
            "netops_syslog_refused", "Datagrams and connections of senders that are not in serving.syslog_from"
        )
        self.cut = self._counter(
            "netops_syslog_lines_cut", "Lines that were too long or incomplete: their start was read"
        )
        self.closed = self._counter(
            "netops_syslog_connections_closed", "Connections closed by the server: idle, or too many"
        )
        self.dropped = self._counter(
            "netops_syslog_datagrams_dropped", "Datagrams that the system dropped, as the receive buffer was full"
        )
        names = ["network"]
        self.connections = Gauge(
            "netops_syslog_connections", "Open connections of syslog", names, registry=registry
        ).labels(network)

    def _by_transport(self, name: str, about: str) -> dict[str, Counter]:
        family = Counter(name, about, ["network", "transport"], registry=self._registry)
        return {transport: family.labels(self._network, transport) for transport in (UDP, TCP)}

    def _counter(self, name: str, about: str) -> Counter:
        return Counter(name, about, ["network"], registry=self._registry).labels(self._network)
