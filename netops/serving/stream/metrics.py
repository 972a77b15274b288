"""Prometheus metrics of a stream."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from netops.serving.engine.partitions import Partitions


class StreamMetrics:
    """Counters of the messages and the partitions of a process.

    Parameters
    ----------
    registry : CollectorRegistry
        The registry of the process.
    network : str
        The value of the label ``network``.
    """

    def __init__(self, registry: CollectorRegistry, network: str) -> None:
        labels = ("network", "result")
        messages = Counter("netops_stream_messages", "Messages by result", labels, registry=registry)
        self.read = messages.labels(network, "read")
        self.unreadable = messages.labels(network, "unreadable")
        self.missing = messages.labels(network, "missing")
        self._partitions = Counter(
            "netops_stream_partitions", "Partitions opened, released and lost", labels, registry=registry
        )
        self._network = network

    def partition(self, result: str) -> None:
        """Count a change of the owned partitions."""
        self._partitions.labels(self._network, result).inc()


class LagCollector:
    """Collects offset and lag of the owned partitions.

    Parameters
    ----------
    partitions : Partitions
    network : str
    """

    def __init__(self, partitions: Partitions, network: str) -> None:
        self._partitions, self._network = partitions, network

    def describe(self) -> Iterable[Metric]:
        """Return no metrics: they are only known on collection."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        labels = ["network", "topic", "partition"]
        offsets = GaugeMetricFamily("netops_stream_offset", "Next message of an owned partition", labels=labels)
        lags = GaugeMetricFamily("netops_stream_lag", "Messages that wait in an owned partition", labels=labels)
        for one in list(self._partitions.owned.values()):
            values = [self._network, one.topic, str(one.number)]
            offsets.add_metric(values, float(one.runtime.offset or 0))
            if one.lag is not None:
                lags.add_metric(values, float(one.lag))
        yield offsets
        yield lags


@dataclass
class OutputCounts:
    """The messages of an output since the start of the process."""

    queued: int = 0
    written: int = 0
    failed: int = 0

    @property
    def waiting(self) -> int:
        """The number of messages that the brokers have not accepted yet."""
        return self.queued - self.written - self.failed


class OutputCollector:
    """Collects the messages of the output.

    Parameters
    ----------
    counts : OutputCounts
    network : str
    """

    def __init__(self, counts: OutputCounts, network: str) -> None:
        self._counts, self._network = counts, network

    def describe(self) -> Iterable[Metric]:
        """Return no metrics: they are only known on collection."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        messages = CounterMetricFamily(
            "netops_stream_output_messages", "Messages of the output by result", labels=["network", "result"]
        )
        messages.add_metric([self._network, "written"], self._counts.written)
        messages.add_metric([self._network, "failed"], self._counts.failed)
        queue = GaugeMetricFamily(
            "netops_stream_output_waiting", "Messages of the output that wait for the brokers", labels=["network"]
        )
        queue.add_metric([self._network], self._counts.waiting)
        yield messages
        yield queue
