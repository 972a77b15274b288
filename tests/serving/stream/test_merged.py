"""One view of several partitions: metrics, and cursors of answers."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from netops.serving.engine.merged_metrics import MergedCollector
from netops.serving.engine.partitions import Cursors


class Fixed:
    def __init__(self, *families: Metric) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return list(self._families)


def gauge(name: str, **values: float) -> Metric:
    family = GaugeMetricFamily(name, "about", labels=["device"])
    for device, value in values.items():
        family.add_metric([device], value)
    return family


def exported(*collectors: Fixed, **limits: int) -> list[str]:
    registry = CollectorRegistry()
    registry.register(MergedCollector(lambda: collectors, limits))
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_series_of_the_same_labels_are_added() -> None:
    counter = CounterMetricFamily("netops_c", "about", labels=["network"])
    counter.add_metric(["demo"], 2)
    other = CounterMetricFamily("netops_c", "about", labels=["network"])
    other.add_metric(["demo"], 3)
    found = exported(
        Fixed(gauge("netops_devices", a=1, b=2), counter), Fixed(gauge("netops_devices", b=3, c=4), other)
    )
    assert found == [
        'netops_devices{device="a"} 1.0',
        'netops_devices{device="b"} 5.0',
        'netops_devices{device="c"} 4.0',
        'netops_c_total{network="demo"} 5.0',
    ]


def test_times_are_the_earliest_and_what_is_the_same_stays() -> None:
    names = ("netops_event_time_seconds", "netops_alert_store_up", "netops_event_lag_seconds", "netops_model_info")
    found = exported(*(Fixed(*(gauge(name, x=value) for name in names)) for value in (1.0, 0.0)))
    assert found == [
        f'{name}{{device="x"}} {value}' for name, value in zip(names, (0.0, 0.0, 1.0, 1.0), strict=True)
    ]


def test_a_limited_family_has_the_highest_of_all() -> None:
    families = [Fixed(gauge("netops_device_risk", a=0.1, b=0.9)), Fixed(gauge("netops_device_risk", c=0.5, d=0.2))]
    assert exported(*families, netops_device_risk=2) == [
        'netops_device_risk{device="b"} 0.9',
        'netops_device_risk{device="c"} 0.5',
    ]


def test_families_of_one_runtime_are_not_changed() -> None:
    assert exported(Fixed(gauge("netops_device_risk", a=0.1, b=0.9)), netops_device_risk=2) == [
        'netops_device_risk{device="a"} 0.1',
        'netops_device_risk{device="b"} 0.9',
    ]


def test_a_cursor_has_a_position_in_each_partition() -> None:
    cursors = Cursors(1000)
    first = cursors.add({"a": 3})
    second = cursors.add({"a": 5, "b": 2})
    assert (first, second) == (1001, 1002)
    assert cursors.positions(first) == {"a": 3}
    assert cursors.positions(second) == {"a": 5, "b": 2}
    assert cursors.positions(0) == cursors.positions(999) == {}


def test_old_cursors_are_forgotten() -> None:
    cursors = Cursors(0)
    added = [cursors.add({"a": number}) for number in range(Cursors.LIMIT + 1)]
    assert cursors.positions(added[0]) == {}
    assert cursors.positions(added[1]) == {"a": 1}
