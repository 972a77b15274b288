"""Prometheus metrics of an object store."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, Metric

from netops.serving.stream.object_store.client import StoreCounts


class StoreCollector:
    """Collects the requests to an object store.

    Parameters
    ----------
    counts : StoreCounts
    network : str
    """

    def __init__(self, counts: StoreCounts, network: str) -> None:
        self._counts, self._network = counts, network

    def describe(self) -> Iterable[Metric]:
        """Return no metrics: they are only known on collection."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        labels = ["network", "operation", "result"]
        requests = CounterMetricFamily("netops_state_requests", "Requests to the object store", labels=labels)
        moved = CounterMetricFamily(
            "netops_state_bytes",
            "Bytes sent to and received from the object store",
            labels=["network", "direction"],
        )
        with self._counts.lock:
            for (operation, result), number in self._counts.requests.items():
                requests.add_metric([self._network, operation, result], number)
            moved.add_metric([self._network, "sent"], self._counts.sent)
            moved.add_metric([self._network, "received"], self._counts.received)
        yield requests
        yield moved
