"""Prometheus metrics of the server; dashboards and alerting rules use these names."""

from collections.abc import Iterator, Sequence
from time import perf_counter, time
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from netops.serving.alerts.outbox import DUE, PARKED
from netops.serving.engine.samples import STATUSES
from netops.serving.logs.messages import STATUSES as MESSAGE_STATUSES

if TYPE_CHECKING:
    from netops.serving.alerts.active import ActiveAlerts
    from netops.serving.engine.champion import ServedModel
    from netops.serving.engine.dead_letters import DeadLetters
    from netops.serving.engine.fleet_state import FleetState
    from netops.serving.settings import ServingSettings

_BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
STEPS = ("validate", "features", "score", "explain", "alert")


class Measured(Protocol):
    """Metrics of a runtime."""

    network: str
    settings: "ServingSettings"
    model: "ServedModel"
    state: "FleetState"
    active_alerts: "ActiveAlerts"
    letters: "DeadLetters"

    @property
    def replay_point(self) -> int | None:
        """Samples with a later event time (ns) must be sent again after a crash; None: all samples."""

    def highest_risks(self) -> list[tuple[str, str | None, str | None, float]]:
        """Return the devices with the highest risks, up to a limit: device, company, data center, risk."""


class ServingMetrics:
    """Counters, histograms and gauges of a server, with their own registry.

    Parameters
    ----------
    network : str
        The value of the label ``network`` of every series.
    """

    def __init__(self, network: str) -> None:
        self.registry = CollectorRegistry()
        self.network = network
        samples = self._counter("netops_samples", "Samples by status", "status")
        self._samples = [samples.labels(network, status) for status in STATUSES]
        messages = self._counter("netops_messages", "Log messages and events by status", "kind", "status")
        self._messages = {
            kind: [messages.labels(network, kind, status) for status in MESSAGE_STATUSES]
            for kind in ("logs", "events")
        }
        steps = self._histogram("netops_step_seconds", "Time a request spends in a step of the graph", "step")
        self._steps = {step: steps.labels(network, step) for step in STEPS}
        self._requests = self._histogram(
            "netops_request_seconds", "Time from request to answer", "endpoint", "code"
        )
        self._by_code: dict[tuple[str, int], Histogram] = {}
        self.evicted = self._counter(
            "netops_devices_evicted", "Devices evicted because the limit was reached"
        ).labels(network)
        self.moved = self._counter(
            "netops_devices_moved", "Devices removed because another replica reads their shard"
        ).labels(network)
        self.swaps = self._counter("netops_model_swaps", "Champions put in service while running").labels(network)
        self.snapshots = self._counter("netops_snapshots", "Snapshots of the state", "result")
        self.snapshot_seconds = self._gauge("netops_snapshot_seconds", "Duration of the last snapshot").labels(
            network
        )
        self.deliveries = self._counter(
            "netops_deliveries",
            "Alert events sent to receivers by outcome: 'told' (delivered), failed (retried) or parked",
            "receiver",
            "result",
        )

    def count(self, statuses: npt.NDArray[np.uint8]) -> None:
        """Count samples by their status codes (uint8 array)."""
        if len(statuses) == 1:
            self._samples[int(statuses[0])].inc()
            return
        for status, counter in enumerate(self._samples):
            if found := int((statuses == status).sum()):
                counter.inc(found)

    def count_messages(self, kind: str, by_status: Sequence[int]) -> None:
        """Count log messages or events; ``by_status`` is in the order of ``logs.messages.STATUSES``."""
        for counter, number in zip(self._messages[kind], by_status, strict=True):
            if number:
                counter.inc(number)

    def step(self, name: str, since: float) -> float:
        """Record the duration of a step; return the current time."""
        now = perf_counter()
        self._steps[name].observe(now - since)
        return now

    def request(self, endpoint: str, code: int, seconds: float) -> None:
        """Record the duration of a request."""
        found = self._by_code.get((endpoint, code))
        if found is None:
            found = self._by_code[endpoint, code] = self._requests.labels(self.network, endpoint, str(code))
        found.observe(seconds)

    def timed(self, endpoint: str, code: int = 200) -> "Timed":
        """Record duration and status of a block that processes a request."""
        return Timed(self, endpoint, code)

    def export(self) -> bytes:
        """Return all series in the Prometheus text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, ("network", *labels), registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(name, about, ("network", *labels), registry=self.registry)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(name, about, ("network", *labels), registry=self.registry, buckets=_BUCKETS)


class Timed:
    """Context manager that times a request; ``code`` is its status unless an error is raised."""

    __slots__ = ("_endpoint", "_metrics", "_since", "code")

    def __init__(self, metrics: ServingMetrics, endpoint: str, code: int) -> None:
        self._metrics, self._endpoint, self.code = metrics, endpoint, code

    def __enter__(self) -> "Timed":
        self._since = perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            # Errors of the request have a status; others are server errors.
            self.code = int(getattr(error, "status", getattr(error, "status_code", 500)))
        self._metrics.request(self._endpoint, self.code, perf_counter() - self._since)


class RuntimeCollector:
    """Collects gauges from the runtime."""

    def __init__(self, runtime: Measured) -> None:
        self.runtime = runtime

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        runtime, network = self.runtime, self.runtime.network
        state = runtime.state
        guard, waiting = runtime.active_alerts.guard, runtime.active_alerts.guard.waiting()
        plain = {
            "netops_devices": ("Known devices", len(state.table)),
            "netops_devices_silent": ("Stale devices", int(state.clock.silent.sum())),
            "netops_devices_on_trial": ("Quarantined devices (clock ahead of the network)", len(state.quarantine)),
            "netops_feature_state_bytes": ("Memory of the feature windows", state.engine.nbytes),
            "netops_deliveries_due": ("Pending alert events", waiting[DUE]),
            "netops_deliveries_parked": ("Alert events rejected by a receiver", waiting[PARKED]),
            "netops_alert_store_up": ("1 if the alert store is available", not guard.trouble),
            "netops_alerts_unsaved": (
                "Changed alerts that are not stored yet",
                len(runtime.active_alerts.unsaved()),
            ),
            "netops_alerts_lost": (
                "Changes of alerts that were dropped before they could be stored",
                runtime.active_alerts.lost,
            ),
            "netops_dead_letters_lost": ("Dead letters that could not be written", runtime.letters.lost),
        }
        for name, (about, value) in plain.items():
            yield _gauge(name, about, ["network"], [([network], value)])
        yield from self._times()
        yield self._alerts()
        yield self._risks()
        model = runtime.model
        yield _gauge(
            "netops_model_info", "The champion in service", ["network", "version"], [([network, model.version], 1)]
        )
        yield _gauge("netops_model_threshold", "The risk that alerts", ["network"], [([network], model.threshold)])

    def _times(self) -> Iterator[Metric]:
        network, now = self.runtime.network, self.runtime.state.clock.now
        if now >= 0:
            at = now / 1e9
            yield _gauge("netops_event_time_seconds", "The network's event time", ["network"], [([network], at)])
            yield _gauge(
                "netops_event_lag_seconds", "Wall clock minus event time", ["network"], [([network], time() - at)]
            )
        if self.runtime.replay_point is not None:
            point = self.runtime.replay_point / 1e9
            yield _gauge(
                "netops_replay_point_seconds",
                "Event time up to which the state is on disk",
                ["network"],
                [([network], point)],
            )

    def _alerts(self) -> Metric:
        counts = {"risk": 0, "silent": 0, "site": 0}
        for alert in self.runtime.active_alerts.current():
            counts[alert.kind] += 1
        rows = [([self.runtime.network, kind], count) for kind, count in counts.items()]
        return _gauge("netops_alerts_open", "Open alerts by kind", ["network", "kind"], rows)

    def _risks(self) -> Metric:
        rows = [
            ([self.runtime.network, device, company or "", center or ""], risk)
            for device, company, center, risk in self.runtime.highest_risks()
        ]
        labels = ["network", "device", "company", "data_center"]
        return _gauge("netops_device_risk", "Risk of a device's newest sample, highest first", labels, rows)


def _gauge(name: str, about: str, labels: list[str], rows: Sequence[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for values, value in rows:
        family.add_metric(values, float(value))
    return family
