"""Where a listener is bound, and who may send to it."""

import socket

import pytest

from netops.config.binding import bind as bound
from netops.errors import UsageError
from netops.serving.settings import ServingSettings
from netops.serving.syslog.address import Address, Senders, bind_both, parse_address, parse_networks


@pytest.mark.parametrize(
    ("text", "address", "is_local"),
    [
        ("127.0.0.1:5514", Address("127.0.0.1", 5514), True),
        ("localhost:1", Address("127.0.0.1", 1), True),
        ("[::1]:514", Address("::1", 514), True),
        ("0.0.0.0:514", Address("0.0.0.0", 514), False),
        ("[::]:514", Address("::", 514), False),
        ("10.0.0.1:65535", Address("10.0.0.1", 65535), False),
    ],
)
def test_addresses(text: str, address: Address, is_local: bool) -> None:
    assert parse_address(text) == address
    assert address.is_local == is_local
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":514",
        "514",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "::1:514",
        "host:514",
        "1.2.3.4:-1",
        "[::1]",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected an IP address and a port, such as"):
        parse_address(text)


def test_an_address_that_is_not_local_needs_networks() -> None:
    with pytest.raises(UsageError, match=r"0\.0\.0\.0:514 is not a local address.*serving\.syslog_from") as raised:
        bound(ServingSettings, {"syslog": "0.0.0.0:514"}, "serving")
    assert "\n" not in str(raised.value)
    found = bound(ServingSettings, {"syslog": "0.0.0.0:514", "syslog_from": ["10.0.0.0/8", "fd00::/8"]}, "serving")
    assert found.syslog_from == ("10.0.0.0/8", "fd00::/8")
    assert bound(ServingSettings, {"syslog": "127.0.0.1:514"}, "serving").syslog_from == ()


@pytest.mark.parametrize("network", ["10.0.0.1/8", "leaf1", "10.0.0.0/33", ""])
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(UsageError, match=r"serving\.syslog_from: .*expected networks such as 10\.0\.0\.0/8"):
        bound(ServingSettings, {"syslog_from": [network]}, "serving")


def test_senders_by_network() -> None:
    senders = Senders(parse_networks(["10.0.0.0/8", "fd00::/8"]))
    assert senders.name("10.1.2.3") == senders.name("::ffff:10.1.2.3") == "10.1.2.3"
    assert senders.name("fd00::0:1") == "fd00::1"
    assert senders.name("192.168.0.1") is senders.name("::ffff:192.168.0.1") is senders.name("fe80::1%lo") is None
    many = Senders(())
    for number in range(20_001):
        many.name(f"10.0.{number // 250}.{number % 250}")
    assert len(many._known) <= 10_000


def test_both_sockets_have_one_port() -> None:
    sockets = bind_both(Address("127.0.0.1", 0), 65_536)
    try:
        assert sockets.udp.getsockname() == sockets.tcp.getsockname() == sockets.address
        assert sockets.udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 65_536
        with pytest.raises(UsageError, match=r"127\.0\.0\.1:\d+ cannot be bound: Address already in use"):
            bind_both(sockets.address, 65_536)
    finally:
        sockets.close()


def test_a_port_that_is_taken_for_datagrams_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(UsageError, match="cannot be bound"):
            bind_both(Address(*other.getsockname()), 65_536)
