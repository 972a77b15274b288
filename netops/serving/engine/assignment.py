"""The shards of a stream (partitions in Kafka) that a replica reads, derived from its messages.

Nuclio notifies a worker of a reassignment of shards, but not of the result. If a shard sends nothing afterwards, it
is read by another replica: its devices have moved there and are not stale.
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
    """The last shard of each device, and the shards that are currently read.

    Parameters
    ----------
    folder : Path
        Where it is stored, so that a restarted replica knows which devices another one reads.
    settling : float
        Seconds after a reassignment during which messages of the old assignment may still arrive.
    clock : callable
        Returns monotonic time in seconds.
    """

    def __init__(self, folder: Path, settling: float, clock: Callable[[], float] = monotonic) -> None:
        self._file, self._settling, self._clock = folder / _FILE, settling, clock
        self._shard_of: dict[str, int] = self._read()
        self._reading: set[int] = set()
        self._since = clock() - settling
        self._changed = False

    def add(self, devices: Iterable[str | None], shard: int) -> None:
        """Record the devices of a message."""
        if shard not in self._reading and self._clock() - self._since >= self._settling:
            self._reading.add(shard)
        for device in devices:
            if device is not None and self._shard_of.get(device) != shard:
                self._shard_of[device] = shard
                self._changed = True

    def reassign(self) -> None:
        """Handle a reassignment of shards."""
        self._reading.clear()
        self._since = self._clock()

    def is_elsewhere(self, device: str) -> bool:
        """Return whether the device's shard is no longer read by this replica; False without a shard."""
        shard = self._shard_of.get(device)
        return shard is not None and shard not in self._reading

    def forget(self, devices: Iterable[str]) -> None:
        """Remove devices."""
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
            _LOG.warning("%s: cannot be read and is overwritten: %s", self._file, error)
            return {}
