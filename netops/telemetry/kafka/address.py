"""The address of a topic: ``kafka://broker:9092,other:9092/topic?group=netops``."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast
from urllib.parse import parse_qsl, urlsplit

from netops.errors import UsageError, closest

#: Where to start reading a partition that has no state yet.
Start: TypeAlias = Literal["earliest", "latest"]
SCHEME = "kafka"
#: The environment variable of the password.
PASSWORD = "NETOPS_KAFKA_PASSWORD"  # noqa: S105 - the name of a variable
#: Properties of the client that an address may have.
PROPERTIES = (
    "client.id",
    "client.rack",
    "sasl.mechanism",
    "sasl.username",
    "security.protocol",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
)
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_BROKER = re.compile(r"[^\s/@:,]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")


@dataclass(frozen=True)
class StreamAddress:
    """A topic.

    Attributes
    ----------
    brokers : str
        ``host:port`` of each, separated by commas.
    topic, group : str
        Topic and consumer group.
    start : str
        Where to start reading a partition that has no state yet: ``earliest`` or ``latest``.
    properties : mapping
        Further properties of the client.
    """

    brokers: str
    topic: str
    group: str = "netops"
    start: Start = "earliest"
    properties: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{SCHEME}://{self.brokers}/{self.topic}"

    def client(self, environment: Mapping[str, str] = os.environ) -> dict[str, str | int | float | bool]:
        """Return the properties of a client: brokers, security, and the password of the environment."""
        found: dict[str, str | int | float | bool] = {"bootstrap.servers": self.brokers, **self.properties}
        if password := environment.get(PASSWORD):
            found["sasl.password"] = password
        return found


def parse_stream(address: str) -> StreamAddress:
    """Parse the address of a topic.

    Raises
    ------
    UsageError
        If it is invalid.
    """
    try:
        parts = urlsplit(address)
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise _invalid(address, str(error)) from None
    topic = parts.path.removeprefix("/")
    if parts.scheme != SCHEME or parts.fragment:
        raise _invalid(address, "expected kafka://host:port/topic?group=…")
    if not all(_BROKER.fullmatch(broker) for broker in parts.netloc.split(",")):
        raise _invalid(address, "expected the brokers as host:port, separated by commas, without a user name")
    if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
        raise _invalid(address, "expected a topic name after the brokers")
    group, start = given.pop("group", "netops"), given.pop("start", "earliest")
    if not group or start not in ("earliest", "latest"):
        raise _invalid(address, "expected start=earliest or start=latest, and a group that is not empty")
    _check_properties(address, given)
    return StreamAddress(parts.netloc, topic, group, cast(Start, start), given)


def parse_output(address: str, read: str) -> StreamAddress | None:
    """Parse the address of the topic to which risks are written; None if it is empty.

    Parameters
    ----------
    address : str
    read : str
        The address of the topic that is read.

    Raises
    ------
    UsageError
        If one of them is invalid, both are the same topic, or none is read.
    """
    if not address:
        return None
    found = parse_stream(address)
    if not read:
        raise UsageError(f"stream {found}: an output needs a topic to read: --stream, or serving.stream.url")
    source = parse_stream(read)
    same_brokers = not set(source.brokers.split(",")).isdisjoint(found.brokers.split(","))
    if source.topic == found.topic and same_brokers:
        raise UsageError(f"stream {found}: the output must be another topic than the one that is read")
    return found


def _check_properties(address: str, given: Mapping[str, str]) -> None:
    for name in given:
        if "password" in name:
            raise _invalid(address, f"set the password in {PASSWORD}, not in the address")
        if name not in PROPERTIES:
            raise _invalid(address, f"unknown parameter '{name}'{closest(name, ('group', 'start', *PROPERTIES))}")


def _invalid(address: str, why: str) -> UsageError:
    shown = re.sub(r"(?<=//)[^/]*@", "…@", address)  # a password does not belong in a message
    shown = re.sub(r"([^?&=]*password=)[^&]*", r"\1…", shown)
    return UsageError(f"stream '{shown[:200]}': {why}")
