"""The partitions of a stream that a process owns, each with a runtime of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import time_ns
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from netops.serving.engine.runtime import Runtime


@dataclass
class Partition:
    """A partition in service.

    Attributes
    ----------
    runtime : Runtime
        The state of its devices; ``runtime.offset`` is the next message.
    end : int or None
        The offset after the newest message of the topic, as last seen.
    """

    topic: str
    number: int
    runtime: "Runtime"
    end: int | None = None

    @property
    def name(self) -> str:
        """Topic and number."""
        return f"{self.topic}-{self.number}"

    @property
    def generation(self) -> int:
        """The fencing token: a later owner of the partition has a higher one."""
        return int(self.runtime.folder.name.removeprefix("g"))

    @property
    def lag(self) -> int | None:
        """The number of messages that wait; None if unknown."""
        offset = self.runtime.offset
        return None if self.end is None or offset is None else max(self.end - offset, 0)


class Cursors:
    """Cursors of the answers about several partitions: each represents one position per partition.

    Parameters
    ----------
    first : int
        The first cursor; higher than those of an earlier process.
    """

    #: Maximum number of answers that are remembered; an older cursor represents the start.
    LIMIT = 1024

    def __init__(self, first: int) -> None:
        self._next = first
        self._positions: dict[int, dict[str, int]] = {}

    def positions(self, cursor: int) -> Mapping[str, int]:
        """Return the positions of a cursor; none if it is unknown."""
        return self._positions.get(cursor, {})

    def add(self, positions: dict[str, int]) -> int:
        """Return a cursor for positions."""
        self._next += 1
        self._positions[self._next] = positions
        if len(self._positions) > self.LIMIT:
            del self._positions[next(iter(self._positions))]
        return self._next


@dataclass
class Partitions:
    """The partitions of a process; changed and read in the event loop only.

    Attributes
    ----------
    topic, group : str
        The topic, and the consumer group.
    owned : dict
        Number → partition.
    waiting : frozenset of int
        Assigned partitions whose previous owner has not released the state yet.
    is_ready : bool
        Whether the partitions of the first assignment have been opened; it stays so when partitions move later.
    trouble : str
        Why the stream cannot be read; empty if it can.
    total : int or None
        The number of partitions of the topic; None until a broker has answered.
    instance : str
        Identifies the process among others that read the topic.
    stalled : str
        Why the risks cannot be written to the topic of the output; empty if they can.
    has_peers : bool
        Whether other processes are asked, and alerts are rolled up for the whole network.
    peer_token : int or None
        The fencing token of partition 0 in the peer that owns it; None if none is known to own it.
    refusals : str
        Which processes refuse to roll up the alerts of the network as this one decides; empty if none does.
    cursors : Cursors
        Of the answers about all devices.
    """

    topic: str
    owned: dict[int, Partition] = field(default_factory=dict)
    waiting: frozenset[int] = frozenset()
    is_ready: bool = False
    trouble: str = ""
    total: int | None = None
    has_peers: bool = False
    peer_token: int | None = None
    refusals: str = ""
    instance: str = field(default_factory=lambda: uuid4().hex)
    stalled: str = ""
    cursors: Cursors = field(default_factory=lambda: Cursors(time_ns() // 1000))
    group: str = ""

    @property
    def runtimes(self) -> "list[Runtime]":
        """The runtimes, by number of the partition."""
        return [self.owned[number].runtime for number in sorted(self.owned)]

    @property
    def roll_up_token(self) -> int | None:
        """The fencing token of the owner of partition 0, which rolls up alerts; None if it is unknown."""
        own = self.owned[0].generation if 0 in self.owned else None
        return max((token for token in (own, self.peer_token) if token is not None), default=None)


def owner_of(runtimes: "Iterable[Runtime]", device: str) -> "Runtime | None":
    """Return the runtime that knows a device, or None."""
    return next((runtime for runtime in runtimes if runtime.state.table.code(device) is not None), None)
