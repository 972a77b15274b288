"""The addresses of peers."""

import asyncio
import socket

import pytest

from netops.errors import UsageError
from netops.serving.peers.addresses import parse_peer, parse_peers, resolve


@pytest.mark.parametrize(
    ("given", "url", "host"),
    [
        ("http://netops-peers:8080", "http://netops-peers:8080", "netops-peers:8080"),
        ("https://netops.example.org/edge/", "https://netops.example.org:443/edge", "netops.example.org:443"),
        ("http://[::1]:9", "http://[::1]:9", "[::1]:9"),
    ],
)
def test_a_base_url_is_parsed(given: str, url: str, host: str) -> None:
    found = parse_peer(given)
    assert (found.url, found.host_header) == (url, host)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "netops-peers:8080",
        "ftp://a",
        "http://",
        "http://a:b",
        "http://a:99999",
        "http://u:p@a",
        "http://a?x=1",
        "http://a#x",
    ],
)
def test_what_is_no_base_url_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="expected an address such as"):
        parse_peer(wrong)


def test_the_same_address_counts_once() -> None:
    assert len(parse_peers(["http://a:1", "http://a:1/", "http://a:2"])) == 2


def test_a_name_counts_as_each_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(host: str, port: int, *_: object, **__: object) -> list[tuple]:
        assert (host, port) == ("netops-peers", 8080)
        ips = [("10.0.0.1", port), ("10.0.0.2", port), ("10.0.0.1", port)]
        return [
            *((socket.AF_INET, 1, 6, "", ip) for ip in ips),
            (socket.AF_INET6, 1, 6, "", ("fd00::1", port, 0, 0)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    found = asyncio.run(resolve(parse_peer("http://netops-peers:8080/x")))
    assert [one.url for one in found] == [
        "http://10.0.0.1:8080/x",
        "http://10.0.0.2:8080/x",
        "http://[fd00::1]:8080/x",
    ]
    assert {one.host_header for one in found} == {"netops-peers:8080"}
