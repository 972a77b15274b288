"""Which shards of a stream (partitions, in Kafka's words) a replica reads, as far as its messages show.

Nuclio tells a worker that the shards are shared out anew, but not how. A shard that sends nothing afterwards, while
others move the network's time on, is read by another replica: its devices have moved there and are not stale.
"""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic

import msgspec

from netops.files import write_text

_LOG = logging.getLogger(__name__)
_FILE = "shards.json"


class Assignment:
    """The shard that each device was last heard of through, and the shards that are read now.

    Parameters
    ----------
    folder : Path
        Where it is stored, so that a restarted replica knows which of its devices another one reads by now.
    settle : float
        Seconds after a change in which messages do not count: those of the old assignment are still handed over.
    clock : callable
        Gives seconds that only grow.
    """

    def __init__(self, folder: Path, settle: float, clock: Callable[[], float] = monotonic) -> None:
        self._file, self._settle, self._clock = folder / _FILE, settle, clock
        self._shard_of: dict[str, int] = self._read()
        self._reading: set[int] = set()
        self._since = clock() - settle
        self._changed = False

    def note(self, devices: Iterable[str | None], shard: int) -> None:
        """Take note of the devices of a message."""
        if shard not in self._reading and self._clock() - self._since >= self._settle:
            self._reading.add(shard)
        for device in devices:
            if device is not None and self._shard_of.get(device) != shard:
                self._shard_of[device] = shard
                self._changed = True

    def reassign(self) -> None:
        """Take note that the shards are shared out anew."""
        self._reading.clear()
        self._since = self._clock()

    def is_elsewhere(self, device: str) -> bool:
        """Tell whether a device came through a shard that this replica no longer reads; one of no shard has not."""
        shard = self._shard_of.get(device)
        return shard is not None and shard not in self._reading

    def forget(self, devices: Iterable[str]) -> None:
        """Forget devices."""
        for device in devices:
            self._changed |= self._shard_of.pop(device, None) is not None

    def save(self) -> None:
        """Write the file, if anything has changed."""
        if self._changed:
            write_text(self._file, msgspec.json.encode(self._shard_of).decode())
            self._changed = False

    def _read(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            _LOG.warning("%s: cannot be read and is written anew: %s", self._file, error)
            return {}
