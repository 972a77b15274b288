"""Addresses of topics."""

import pytest

from netops.errors import UsageError
from netops.telemetry.kafka.address import parse_stream


def test_brokers_topic_and_group() -> None:
    found = parse_stream("kafka://one:9092,two:9093/net.telemetry-1?group=edge&start=latest")
    assert (found.brokers, found.topic, found.group, found.start) == (
        "one:9092,two:9093",
        "net.telemetry-1",
        "edge",
        "latest",
    )
    assert str(found) == "kafka://one:9092,two:9093/net.telemetry-1"
    assert parse_stream("kafka://broker/t").group == "netops"
    assert parse_stream("kafka://[::1]:9092/t").brokers == "[::1]:9092"


def test_security_is_in_the_address_and_the_password_in_the_environment() -> None:
    found = parse_stream("kafka://b:9092/t?security.protocol=SASL_SSL&sasl.mechanism=PLAIN&sasl.username=u")
    assert found.client({"NETOPS_KAFKA_PASSWORD": "secret"}) == {
        "bootstrap.servers": "b:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "u",
        "sasl.password": "secret",
    }
    assert "sasl.password" not in found.client({})


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://b:9092/t", "expected kafka://host:port/topic"),
        ("kafka://b:9092", "expected a topic name"),
        ("kafka://b:9092/..", "expected a topic name"),
        ("kafka://b:9092/a/b", "expected a topic name"),
        ("kafka:///t", "expected the brokers"),
        ("kafka://b:port/t", "expected the brokers"),
        ("kafka://b:9092/t?group=", "a group that is not empty"),
        ("kafka://b:9092/t?start=middle", "start=earliest or start=latest"),
        ("kafka://b:9092/t?grup=x", "did you mean 'group'"),
        ("kafka://b:9092/t?group", "bad query field"),
        ("kafka://b:9092/t?enable.auto.commit=true", "unknown parameter"),
        ("kafka://[x/t", "Invalid IPv6"),
    ],
)
def test_an_invalid_address_is_one_line(address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as found:
        parse_stream(address)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("address", ["kafka://user:hidden@b:9092/t", "kafka://b:9092/t?sasl.password=hidden"])
def test_a_password_in_the_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(UsageError) as found:
        parse_stream(address)
    assert "hidden" not in str(found.value)
