"""Changes of the schema."""

import dataclasses

import pytest

from netops.monitoring.reference import Reference, read_reference
from netops.monitoring.schema_changes import Change, schema_changes
from netops.telemetry.dataset import Meta
from tests.monitoring.networks import Network

META = Meta(("cpu_utilization", "latency", "packet_loss", "throughput"), (), 1_000, 10, 0, 60.0, "test")


@pytest.fixture
def reference(network: Network) -> Reference:
    return read_reference(network.model)


def changes(reference: Reference, devices: tuple[str, ...] | None = None, empty=(), **meta) -> dict[str, Change]:
    found = schema_changes(
        reference, dataclasses.replace(META, **meta), reference.devices if devices is None else devices, empty
    )
    return {change.name: change for change in found}


def test_nothing_has_changed(reference: Reference) -> None:
    assert changes(reference) == {}


def test_a_removed_metric(reference: Reference) -> None:
    assert changes(reference, empty=["latency"])["latency"].detected


def test_a_column_that_is_new(reference: Reference) -> None:
    found = changes(reference, left_out={"jitter": "no metric of the network"})
    assert found["jitter"].detected
    known = dataclasses.replace(reference, columns=(*reference.columns, "jitter"))
    assert changes(known, left_out={"jitter": "constant"}) == {}


@pytest.mark.parametrize(("seconds", "changed"), [(30.0, True), (70.0, False), (300.0, True), (0.0, False)])
def test_another_interval(reference: Reference, seconds: float, changed: bool) -> None:
    assert ("interval" in changes(reference, interval_seconds=seconds)) == changed


def test_devices_come_and_go(reference: Reference) -> None:
    one = changes(reference, (*reference.devices, "stranger"))["devices"]
    assert not one.detected
    assert one.about == "1 new, 0 missing, 10 as in training"
    many = changes(reference, (*reference.devices[:6], *map(str, range(3))))["devices"]
    assert many.detected
    assert many.score == pytest.approx(1 / 3)
