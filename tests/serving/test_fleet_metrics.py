"""What is exported of sites and devices."""

from collections.abc import Callable
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from netops.alerting.settings import AlertSettings
from netops.alerting.silences import Silence
from netops.serving.engine.pipeline import Pipeline
from netops.serving.settings import LimitSettings, ServingSettings
from tests.serving.samples import body, sample

AMS = {"company": "acme", "data_center": "ams"}


def exported(pipeline: Pipeline, name: str) -> dict[tuple[str, ...], float]:
    """Read a family as Prometheus does: label values (without the network, sorted by label) → value."""
    families = text_string_to_metric_families(pipeline.runtime.metrics.export().decode())
    found = next(family for family in families if family.name == name)
    return {
        tuple(value for label, value in sorted(each.labels.items()) if label != "network"): each.value
        for each in found.samples
    }


def heat(pipeline: Pipeline, *devices: str, ticks: int = 3, hot: bool = True, **index: str) -> None:
    """Send some samples of devices that alert."""
    for tick in range(ticks):
        pipeline.run(body(*(sample(device, tick, hot=hot, **index) for device in devices)))


def test_sites_are_counted(start: Callable[..., Pipeline]) -> None:
    pipeline = start()
    heat(pipeline, "ams-1", **AMS)
    heat(pipeline, "ams-2", "ams-3", hot=False, **AMS)
    heat(pipeline, "somewhere", hot=False)
    assert exported(pipeline, "netops_site_devices") == {("acme", "ams"): 3, ("", ""): 1}
    assert exported(pipeline, "netops_site_devices_silent") == {("acme", "ams"): 0, ("", ""): 0}
    opened = exported(pipeline, "netops_site_alerts_open")
    assert opened["acme", "ams", "risk"] == 1
    assert sum(opened.values()) == 1


def test_open_alerts_name_their_device_and_end(start: Callable[..., Pipeline]) -> None:
    pipeline = start()
    heat(pipeline, "ams-1", **AMS)
    assert exported(pipeline, "netops_alert_open") == {("acme", "ams", "ams-1", "risk"): 1}
    for tick in range(3, 200):
        pipeline.run(body(sample("ams-1", tick, **AMS)))
    assert exported(pipeline, "netops_alert_open") == {}


def test_silenced_alerts_are_not_exported(start: Callable[..., Pipeline]) -> None:
    silence = Silence(from_="2020-01-01", until="2040-01-01", device="ams-1")
    pipeline = start(alerting=AlertSettings(silences=(silence,)))
    heat(pipeline, "ams-1", "ams-2", **AMS)
    assert exported(pipeline, "netops_alert_open") == {("acme", "ams", "ams-2", "risk"): 1}


def test_telemetry_is_that_of_the_newest_sample(start: Callable[..., Pipeline]) -> None:
    pipeline = start()
    pipeline.run(body(sample("ams-1", 0, **AMS)))
    pipeline.run(body(sample("ams-1", 1, **AMS) | {"latency": 7.5, "packet_loss": None}))
    found = exported(pipeline, "netops_device_metric")
    assert found["acme", "ams", "ams-1", "latency"] == 7.5
    assert ("acme", "ams", "ams-1", "packet_loss") not in found


def test_series_are_limited_to_the_riskiest_devices_and_the_largest_sites(start: Callable[..., Pipeline]) -> None:
    limits = replace(LimitSettings(), risk_series=2, telemetry_series=4)
    pipeline = start(ServingSettings(limits=limits))
    heat(pipeline, "a-1", hot=False, data_center="a")
    for site in ("b", "c"):
        heat(pipeline, f"{site}-1", f"{site}-2", data_center=site)
    assert len(exported(pipeline, "netops_alert_open")) == 2
    assert set(exported(pipeline, "netops_site_devices")) == {("", "b"), ("", "c")}
    assert len({device for _, _, device, _ in exported(pipeline, "netops_device_metric")}) == 1
