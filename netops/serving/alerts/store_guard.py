"""Keep a server running while its alert store is locked, full or damaged, and recover the store."""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator
from time import monotonic

from netops.errors import NetopsError
from netops.serving.alerts.file import is_damaged, set_aside
from netops.serving.alerts.outbox import DUE, PARKED
from netops.serving.alerts.store import AlertStore
from netops.serving.engine.lease import FencedError, SuspendedError
from netops.serving.engine.samples import BodyError

_LOG = logging.getLogger(__name__)

#: Errors of the store: from SQLite, from the disk, and for a file of a newer version.
STORE_ERRORS = (sqlite3.Error, OSError, NetopsError)
#: Seconds that the server waits for a lock, during which requests wait.
LOCK_TIMEOUT = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0


@contextlib.contextmanager
def for_a_request() -> Iterator[None]:
    """Answer a request with status 503 if the store is unavailable.

    Raises
    ------
    BodyError
        With the reason.
    """
    try:
        yield
    except SuspendedError as error:
        raise BodyError(f"the state cannot be saved, try again later: {error}", 503) from None
    except FencedError:
        raise BodyError("another process has taken over the partition: try again", 503) from None
    except (sqlite3.Error, OSError) as error:
        raise BodyError(f"the alert store cannot be used, try again later: {error}", 503) from None


class StoreGuard:
    """Calls the store, with exponential backoff while it fails.

    Parameters
    ----------
    store : AlertStore
    replaced : callable
        Called when a damaged file has been replaced by a new one.
    clock : callable
        Returns the time in seconds.

    Attributes
    ----------
    trouble : str
        Why the store is unavailable; empty if it is available.
    failures : int
        Number of failures.
    """

    def __init__(
        self, store: AlertStore, replaced: Callable[[], None], clock: Callable[[], float] = monotonic
    ) -> None:
        self.trouble, self.failures = "", 0
        self._store, self._replaced, self._clock = store, replaced, clock
        self._pause, self._next = _FIRST_PAUSE, 0.0
        self._waiting = {DUE: 0, PARKED: 0}

    def write(self, work: Callable[[], None]) -> bool:
        """Write to the store unless waiting for a retry; return whether it succeeded."""
        if not self.read(work):
            return False
        if self.trouble:
            _LOG.warning("%s is available again", self._store.path)
        self.trouble, self._pause = "", _FIRST_PAUSE
        return True

    def read(self, work: Callable[[], None]) -> bool:
        """Read from the store unless waiting for a retry; return whether it succeeded."""
        if self.trouble and self._clock() < self._next:
            return False
        try:
            work()
        except STORE_ERRORS as error:
            self._fail(error)
            return False
        return True

    def waiting(self) -> dict[str, int]:
        """Return the numbers of pending and parked deliveries; the last known ones if the store cannot be read."""

        def count() -> None:
            self._waiting = {state: self._store.outbox.count(state) for state in (DUE, PARKED)}

        self.read(count)
        return self._waiting

    def _fail(self, error: Exception) -> None:
        trouble = f"{self._store.path.name}: {error or type(error).__name__}"
        if trouble != self.trouble:
            _LOG.warning("%s: %s; alerts are buffered in memory until it is available", self._store.path, error)
        self.trouble, self.failures = trouble, self.failures + 1
        self._next = self._clock() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        # The connection may be the cause.
        self._store.close()
        if isinstance(error, sqlite3.Error) and is_damaged(error):
            self._set_aside()

    def _set_aside(self) -> None:
        try:
            aside = set_aside(self._store.path)
        except OSError as error:
            _LOG.warning("%s is damaged and cannot be renamed: %s", self._store.path, error)
            return
        _LOG.error("%s was damaged and renamed to %s; a new file is created", self._store.path, aside.name)
        self._next = 0.0
        self._replaced()
