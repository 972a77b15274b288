"""The devices of the hosts that messages name."""

import pytest

from netops.serving.engine.devices import DeviceTable
from netops.serving.logs.host_names import HostNames


@pytest.fixture
def hosts() -> HostNames:
    table = DeviceTable(4)
    table.assign(["leaf1", "leaf2"])
    return HostNames(table)


@pytest.mark.parametrize("host", ["leaf2", "LEAF2", "leaf2.example.org", "leaf2:9100", "leaf2." + "x" * 300])
def test_a_host_has_the_device_of_its_short_name(hosts: HostNames, host: str) -> None:
    assert hosts.code(host) == 1
    assert hosts.code("other") is None


def test_hosts_are_stored_up_to_the_length_of_a_domain_name(hosts: HostNames) -> None:
    for length in (255, 256, 100_000):
        assert hosts.code("x" * length) is None
    assert [len(host) for host in hosts._found] == [255]
