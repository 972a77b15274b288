"""Prometheus metrics of a shadow and its champion."""

from collections.abc import Iterator
from typing import Literal, Protocol

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from netops.serving.shadow.comparison import BINS
from netops.serving.shadow.parts import ROLES
from netops.serving.shadow.report import Role
from netops.serving.shadow.scoring import Shadow

_COUNTED: tuple[Literal["opened", "only"], ...] = ("opened", "only")
_ASSESSED: tuple[Literal["incidents", "warned", "false_alarms"], ...] = ("incidents", "warned", "false_alarms")


class Shadowed(Protocol):
    """Metrics of a shadow."""

    network: str
    shadow: Shadow


class ShadowCollector:
    """Collects the metrics of a shadow, if there is one."""

    def __init__(self, runtime: Shadowed) -> None:
        self.runtime = runtime

    def describe(self) -> list[Metric]:
        """Return no metrics: they are only known on collection."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        network, shadow = self.runtime.network, self.runtime.shadow
        failures = CounterMetricFamily("netops_shadow_failures", "Shadows stopped by a failure", labels=["network"])
        failures.add_metric([network], shadow.failures)
        yield failures
        if (report := shadow.report()) is None:
            return
        info = GaugeMetricFamily("netops_shadow_info", "The shadow", labels=["network", "version"])
        info.add_metric([network, report["challenger"]], 1)
        yield info
        yield _both(
            network, "netops_shadow_samples", "Samples that both scored", dict.fromkeys(ROLES, report["samples"])
        )
        skipped = GaugeMetricFamily(
            "netops_shadow_skipped", "Samples that the shadow has not scored", labels=["network"]
        )
        skipped.add_metric([network], report["skipped"])
        yield skipped
        counts = report["alerts"]
        opened, only = ({role: counts[role][key] for role in ROLES} for key in _COUNTED)
        yield _both(network, "netops_shadow_alerts_opened", "Alerts opened", opened)
        yield _both(network, "netops_shadow_alerts_only", "Alerts without an open alert of the other model", only)
        yield _histogram(network, report["histograms"])
        if (evaluated := report["judged"]) is not None:
            for name in _ASSESSED:
                values = {role: evaluated[role][name] for role in ROLES}
                yield _both(network, f"netops_shadow_{name}", f"{name.replace('_', ' ')} so far", values)


def _both(network: str, name: str, about: str, values: dict[Role, int]) -> Metric:
    family = GaugeMetricFamily(name, f"{about}, of champion and challenger", labels=["network", "role"])
    for role, value in values.items():
        family.add_metric([network, role], value)
    return family


def _histogram(network: str, counts: dict[Role, list[int]]) -> Metric:
    about = "Risks of champion and challenger"
    family = HistogramMetricFamily("netops_shadow_risk", about, labels=["network", "role"])
    for role, own in counts.items():
        total = np.cumsum(own).tolist()
        buckets = [(f"{(index + 1) / BINS:g}", total[index]) for index in range(BINS - 1)]
        middles = (np.arange(BINS) + 0.5) / BINS
        family.add_metric([network, role], [*buckets, ("+Inf", total[-1])], float(np.dot(own, middles)))
    return family
