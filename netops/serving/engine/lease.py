"""The lease of a partition's state in a folder that several processes share.

The state is in a subfolder whose number is the fencing token: ``partitions/<topic>-<n>/g7``. A process takes it
over by renaming the subfolder to the next number. Only one of several renames succeeds, and whatever a previous
owner still writes by path fails. The owner holds a lock on a file in the subfolder, which ends with its process; a
process that is stopped but not ended keeps its lock, so the owner also renews the time of that file, and another
process may take over when that time has not changed for the patience.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from uuid import uuid4

_LOCK = ".lock"
_NUMBERED = re.compile(r"g(\d+)")


class FencedError(Exception):
    """Another process has taken over the state: this one must not write it any more."""


class SuspendedError(FencedError):
    """The lease was not renewed in time: another process may take over the state, or the lease continues."""


@dataclass(frozen=True)
class Lease:
    """The right to write the state of a partition.

    Attributes
    ----------
    folder : Path
        The folder of the state.
    handle : int
        The open lock file; closing it ends the lease.
    """

    folder: Path
    handle: int

    def check(self) -> None:
        """Check that no other process has taken over.

        Raises
        ------
        FencedError
            If one has.
        """
        if not _is_file(self.handle, self.folder / _LOCK):
            raise FencedError(f"{self.folder}: taken over by another process")

    def renew(self) -> None:
        """Show other processes that the owner is alive.

        Raises
        ------
        FencedError
            If another process has taken over.
        """
        self.check()
        os.utime(self.handle)

    @property
    def stalled(self) -> str:
        """Empty: a file system that does not answer makes the process wait."""
        return ""

    def commit(self) -> None:
        """Do nothing: what is in the folder is what the next owner finds."""

    def flush(self) -> None:
        """Do nothing, as :meth:`commit`."""

    def release(self) -> None:
        """End the lease."""
        os.close(self.handle)


class Claim:
    """Repeated attempts to take over the state of a partition.

    Parameters
    ----------
    folder : Path
        The folder of the partition; created if missing.
    patience : float
        Seconds without renewal after which an owner that still holds its lock is taken for stopped.
    clock : callable
        Returns monotonic time in seconds. Times of other machines are not compared with it.
    """

    def __init__(self, folder: Path, patience: float, clock: Callable[[], float] = monotonic) -> None:
        self._folder, self._patience, self._clock = folder, patience, clock
        self._seen: tuple[int, ...] = ()
        self._since = clock()

    def attempt(self) -> Lease | None:
        """Take over the state if it has no owner; None if it is owned, or another process was faster."""
        self._folder.mkdir(parents=True, exist_ok=True)
        number = newest_generation(self._folder)
        if number is None:
            # Not exist_ok: another process may make the folder and take it over between two of its system calls.
            with suppress(FileExistsError):
                (self._folder / "g0").mkdir()
            number = 0
        held = self._folder / f"g{number}"
        try:
            handle = os.open(held / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return None
        if _locked(handle):
            return self._take_over(handle, number)
        return self._wait(handle, number)

    def abandon(self) -> None:
        """Do nothing: an attempt has ended when it returns."""

    def _wait(self, handle: int, number: int) -> Lease | None:
        """Take over from an owner that holds the lock but has not renewed its lease for the patience."""
        found = os.fstat(handle)
        os.close(handle)
        seen = (number, found.st_ino, found.st_mtime_ns)
        if seen != self._seen:
            self._seen, self._since = seen, self._clock()
        if self._clock() - self._since < self._patience:
            return None
        own = self._folder / f".lock.{uuid4().hex}.tmp"
        handle = os.open(own, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        _locked(handle)
        return self._take_over(handle, number, own)

    def _take_over(self, handle: int, number: int, own: Path | None = None) -> Lease | None:
        lease = Lease(self._folder / f"g{number + 1}", handle)
        try:
            os.rename(self._folder / f"g{number}", lease.folder)
            if own is not None:
                os.replace(own, lease.folder / _LOCK)
            lease.renew()
        except (OSError, FencedError):  # another process was faster
            if own is not None:
                own.unlink(missing_ok=True)
            lease.release()
            return None
        _remove_before(self._folder, number + 1)
        return lease


def newest_generation(folder: Path) -> int | None:
    """Return the number of the subfolder with the current state of a partition; None if there is none."""
    return max((number for number, _ in _generations(folder)), default=None)


def _generations(folder: Path) -> list[tuple[int, Path]]:
    found = [(_NUMBERED.fullmatch(path.name), path) for path in folder.glob("g*")]
    return [(int(match[1]), path) for match, path in found if match]


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_file(handle: int, path: Path) -> bool:
    """Return whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _remove_before(folder: Path, number: int) -> None:
    """Remove what a fenced process has created again under an earlier number."""
    for found, path in _generations(folder):
        if found < number:
            shutil.rmtree(path, ignore_errors=True)
