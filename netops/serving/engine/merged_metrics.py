"""Metrics of several runtimes of a process as one: the series of the same labels become one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from prometheus_client.core import Metric
from prometheus_client.metrics_core import METRIC_TYPES
from prometheus_client.samples import Sample

#: Series that are not sums over the partitions of a process.
_LOWEST = ("netops_event_time_seconds", "netops_replay_point_seconds", "netops_alert_store_up")
_HIGHEST = (
    "netops_event_lag_seconds",
    "netops_model_info",
    "netops_model_threshold",
    "netops_alert_open",
    "netops_shadow_info",
)


class Collector(Protocol):
    """Collects metric families."""

    def collect(self) -> Iterable[Metric]:
        """Return the metric families."""


class MergedCollector:
    """Collects the families of several collectors, each family once.

    Parameters
    ----------
    collectors : callable
        Returns the current collectors.
    limits : mapping of str to int
        The maximum number of series of a family; those with the highest values remain.
    """

    def __init__(self, collectors: Callable[[], Sequence[Collector]], limits: dict[str, int]) -> None:
        self._collectors, self._limits = collectors, limits

    def describe(self) -> Iterable[Metric]:
        """Return no metrics: they are only known on collection."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        families: dict[str, Metric] = {}
        for collector in self._collectors():
            for family in collector.collect():
                known = families.get(family.name)
                families[family.name] = family if known is None else _merged(known, family)
        for family in families.values():
            yield self._limited(family)

    def _limited(self, family: Metric) -> Metric:
        limit = self._limits.get(family.name)
        if limit is not None and len(family.samples) > limit:
            family.samples = sorted(family.samples, key=lambda sample: -sample.value)[:limit]
        return family


def _merged(one: Metric, other: Metric) -> Metric:
    assert one.type == other.type
    assert one.type in METRIC_TYPES
    combine = min if one.name in _LOWEST else max if one.name in _HIGHEST else _sum
    found = {(sample.name, *sorted(sample.labels.items())): sample for sample in one.samples}
    for sample in other.samples:
        key = (sample.name, *sorted(sample.labels.items()))
        before = found.get(key)
        found[key] = sample if before is None else Sample(*sample[:2], combine(before.value, sample.value))
    one.samples = list(found.values())
    return one


def _sum(one: float, other: float) -> float:
    return one + other
