"""The scope of a request: the partitions of the process that answers, or those of all processes."""

import json
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from netops.serving.engine.partitions import Partitions
from netops.serving.engine.samples import BodyError
from netops.serving.requests.parameters import Query
from netops.serving.requests.reply import Reply

#: The query parameter, and its values.
SCOPE, OWN, ALL = "scope", "own", "all"
#: Of an answer in the scope ``own``: which process answers, and its partitions.
OWN_HEADER = "x-netops-own"
#: Of an answer about all processes: the partitions that are missing in it.
MISSING_HEADER = "x-netops-missing"
SCOPE_HELP = "own: only the partitions of this process, not those of its peers (serving.stream.peers)"


class Held(msgspec.Struct, frozen=True, array_like=True):
    """A partition of a process: fencing token, and number of devices."""

    generation: int
    devices: int


class Own(msgspec.Struct, frozen=True):
    """A process and its partitions, by number; ``total`` is the number of partitions of the topic, if known."""

    instance: str
    network: str
    topic: str
    total: int | None
    partitions: dict[int, Held]
    group: str = ""


def is_own(query: Query) -> bool:
    """Return whether a request is about the partitions of this process alone.

    Raises
    ------
    BodyError
        400 if the scope is neither ``own`` nor ``all``.
    """
    scope = str(query.get(SCOPE, ALL))
    if scope not in (OWN, ALL):
        raise BodyError(f"{SCOPE}: expected {OWN} or {ALL}, found '{scope[:40]}'", 400)
    return scope == OWN


def own_of(network: str, partitions: Partitions) -> Own:
    """Return the partitions of this process."""
    held = {
        number: Held(one.generation, len(one.runtime.state.table))
        for number, one in sorted(partitions.owned.items())
    }
    return Own(partitions.instance, network, partitions.topic, partitions.total, held, partitions.group)


def with_own(reply: Reply, own: Own) -> Reply:
    """Add which process answers."""
    # Not msgspec.json: a header has ASCII characters only.
    return with_header(reply, OWN_HEADER, json.dumps(msgspec.to_builtins(own, str_keys=True)))


def with_header(reply: Reply, name: str, value: str) -> Reply:
    """Add a header to a reply."""
    return reply._replace(headers={**reply.headers, name: value})


def read_own(headers: Mapping[str, str]) -> Own | None:
    """Return the process that gave an answer; None if it reports none."""
    try:
        return msgspec.json.decode(headers.get(OWN_HEADER, ""), type=Own)
    except msgspec.DecodeError:
        return None


def missing_numbers(found: Iterable[Own]) -> list[int] | None:
    """Return the partitions that none of some processes owns; None while the number of partitions is unknown."""
    found = list(found)
    totals = [own.total for own in found if own.total is not None]
    if not totals:
        return None
    owned = {number for own in found for number in own.partitions}
    return [number for number in range(max(totals)) if number not in owned]


def missing_names(numbers: Sequence[int] | None, topic: str) -> list[str]:
    """Return the names of missing partitions; ``<topic>-?`` while the number of partitions is unknown."""
    return [f"{topic}-?"] if numbers is None else [f"{topic}-{number}" for number in numbers]
