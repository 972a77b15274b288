"""The lease of a partition's state in an object store.

The manifest is replaced only on the condition that it is the version this process has written last (``If-Match``).
So of several writers one succeeds, and a process that has been replaced learns of it with its next write. A lease
that is not renewed is not used either: its process writes neither alerts nor messages until the store has confirmed
that it still is the owner.
"""

import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from msgspec.structs import replace

from netops.serving.engine.lease import FencedError, SuspendedError
from netops.serving.folders import ALERTS
from netops.serving.stream.object_store.alert_image import AlertBlocks
from netops.serving.stream.object_store.client import ConflictError, ObjectStore, StoreError
from netops.serving.stream.object_store.manifest import NAME, Blob, Manifest, decoded
from netops.serving.stream.object_store.work_folder import Identity, LetterTail, opened_snapshot, texts

_LOG = logging.getLogger(__name__)
#: Fractions of the lease after which it is renewed, and after which the partition pauses.
RENEWED, _PAUSED = 0.25, 0.6
#: Bytes up to which the newest object of dead letters is written again with the next ones; maximum objects.
_LETTERS, _LETTER_OBJECTS = 1 << 20, 256


def now() -> float:
    """Return seconds of a clock that continues while the machine sleeps, where there is one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


class Record:
    """The manifest of a partition, as its owner replaces it. Thread-safe.

    Parameters
    ----------
    store : ObjectStore
    where : str
        The prefix of the partition.
    manifest : Manifest
        What this process has written.
    etag : str
        Its entity tag.
    since : float
        When that write was begun.

    Attributes
    ----------
    confirmed : float
        When the last confirmed write was begun.
    trouble : str
        Why the last write was not confirmed; empty if it was.
    is_fenced : bool
        Whether another process has taken over, or this one has released the state.
    """

    def __init__(self, store: ObjectStore, where: str, manifest: Manifest, etag: str, since: float) -> None:
        self.manifest, self.confirmed, self.trouble, self.is_fenced = manifest, since, "", False
        self._store, self._where, self._etag = store, where, etag
        self._unconfirmed: set[str] = set()
        self._lock = threading.Lock()

    def write(self, change: Callable[[Manifest], Manifest]) -> None:
        """Replace the manifest.

        Raises
        ------
        FencedError
            If another process has taken over.
        StoreError
            If the store does not confirm it; it may be written nevertheless.
        """
        with self._lock:
            if self.is_fenced:
                raise self.fenced()
            since, new = now(), replace(change(self.manifest), write=uuid4().hex)
            try:
                self._etag = self._replaced(new)
            except StoreError as error:
                self._unconfirmed.add(new.write)
                self.trouble = str(error)
                raise
            self.manifest, self.confirmed, self.trouble = new, since, ""
            self._unconfirmed.clear()

    def fenced(self) -> FencedError:
        """Return the error of a process that has been replaced."""
        return FencedError(f"{self._store.address}: {self._where}: taken over by another process")

    def _replaced(self, new: Manifest) -> str:
        key = f"{self._where}/{NAME}"
        for _ in range(3):
            with suppress(ConflictError):
                return self._store.replace(key, new.encoded(), self._etag)
            found = self._store.read(key)
            written = None if found is None else decoded(found.body, self._where).write
            if found is None or written not in {*self._unconfirmed, new.write, self.manifest.write}:
                self.is_fenced = True
                raise self.fenced()
            # The answer to a write of this process was lost, or the store had to try again.
            self._etag = found.etag
            if written == new.write:
                return found.etag
        raise StoreError(f"{self._store.address}: {key}: other writes are in progress")


class ObjectLease:
    """The right to write the state of a partition in an object store (see ``engine.shared_state.StateLease``).

    Parameters
    ----------
    store : ObjectStore
    where : str
        The prefix of the partition.
    folder : Path
        Where this process works on the state.
    record : Record
        The manifest, which this process owns.
    patience : float
        Seconds for which the lease is valid.
    letters : int
        Maximum bytes of dead letters in the store.
    pool : Executor
        Uploads in parallel.
    """

    def __init__(
        self,
        store: ObjectStore,
        where: str,
        folder: Path,
        record: Record,
        patience: float,
        letters: int,
        pool: Executor,
    ) -> None:
        self.folder, self._store, self._where, self._record = folder, store, where, record
        self._patience, self._letters, self._pool = patience, letters, pool
        self._saving = threading.Lock()
        self._number = 0
        self._files: dict[Identity, Blob] = {}
        self._alerts = AlertBlocks(folder / ALERTS, self._upload)
        self._tail, self._last = LetterTail(folder), b""
        self._written: set[str] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease of {where}", daemon=True)
        self._thread.start()

    def restored(self, files: dict[Identity, Blob], alerts: bytes) -> None:
        """Remember what was downloaded: it is in the store already."""
        self._files = dict(files)
        self._alerts.restored(alerts)
        self._written = set(self._record.manifest.keys)

    @property
    def stalled(self) -> str:
        """Why the partition is paused: the lease ends soon, and has not been renewed; empty if it has."""
        if self._record.is_fenced or now() - self._record.confirmed < _PAUSED * self._patience:
            return ""
        return self._record.trouble or f"{self._store.address} does not answer"

    def check(self) -> None:
        """Check that this process is the owner, without asking the store.

        Raises
        ------
        SuspendedError
            If the lease has not been renewed in time.
        FencedError
            If another process has taken over.
        """
        self.renew()
        if now() - self._record.confirmed > self._patience:
            raise SuspendedError(f"{self._where}: the lease was not renewed: {self.stalled}")

    def renew(self) -> None:
        """Check that no other process is known to have taken over; the lease is renewed in a thread.

        Raises
        ------
        FencedError
            If one has.
        """
        if self._record.is_fenced:
            raise self._record.fenced()

    def commit(self) -> None:
        """Save the newest snapshot with the alert store, the dead letters and the other files.

        Raises
        ------
        FencedError
            If another process has taken over.
        NetopsError
            If the store does not confirm it.
        """
        with self._saving:
            self.renew()
            with opened_snapshot(self.folder) as opened:
                missing = {
                    one.identity: (self._key(), one.file)
                    for one in opened.values()
                    if one.identity not in self._files
                }
                list(self._pool.map(self._upload_file, missing.items()))
                self._files = {one.identity: self._files[one.identity] for one in opened.values()}
                snapshots = {name: self._files[one.identity] for name, one in opened.items()}
            letters, position, last = self._new_letters()
            small = texts(self.folder)
            # After the snapshot: the alert store may be newer than it, but not older.
            alerts = self._alerts.uploaded(self._record.manifest.alerts)
            self._record.write(
                lambda found: replace(found, snapshots=snapshots, texts=small, letters=letters, alerts=alerts.image)
            )
            self._alerts.taken(alerts)
            self._tail.taken(position)
            self._last = last
            self._remove_others()

    def flush(self) -> None:
        """Save the alert store alone, if it has changed.

        Raises
        ------
        SuspendedError
            If the store does not confirm it.
        FencedError
            If another process has taken over.
        """
        with self._saving:
            self.renew()
            try:
                alerts = self._alerts.uploaded(self._record.manifest.alerts)
                if alerts.image != self._record.manifest.alerts:
                    self._record.write(lambda found: replace(found, alerts=alerts.image))
                self._alerts.taken(alerts)
            except StoreError as error:
                raise SuspendedError(str(error)) from error

    def release(self) -> None:
        """End the lease; the next owner need not wait for its end."""
        self._ending.set()
        if not self._record.is_fenced:
            try:
                self._give_up()
            except FencedError:
                pass
            except Exception as error:  # noqa: BLE001 the next owner waits for the end of the lease instead
                _LOG.warning("%s: not released: %s", self._where, error)
        self._record.is_fenced = True  # an upload that is still in progress changes nothing any more
        self._thread.join()
        self._alerts.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _give_up(self) -> None:
        if why := self.stalled:
            raise StoreError(why)
        self.flush()
        with self._saving:
            self._record.write(lambda found: replace(found, owner=""))

    def _renew(self) -> None:
        """Replace the manifest by itself from time to time, so that others see that the owner is alive."""
        interval = RENEWED * self._patience
        while not self._ending.wait(interval / 4):
            if now() - self._record.confirmed < interval:
                continue
            try:
                self._record.write(lambda found: found)
            except FencedError:
                return
            except Exception as error:  # noqa: BLE001 for example, the store does not answer: it is asked again
                _LOG.debug("%s: not renewed: %s", self._where, error)

    def _upload_file(self, one: tuple[Identity, tuple[str, BinaryIO]]) -> None:
        identity, (key, file) = one
        self._store.upload(f"{self._where}/{key}", file, identity.size)
        self._files[identity] = Blob(key, identity.size)

    def _upload(self, body: bytes) -> Blob:
        blob = Blob(self._key(), len(body))
        self._store.upload(f"{self._where}/{blob.key}", body, blob.size)
        return blob

    def _key(self) -> str:
        """Return a key that is never written again, not even after an error."""
        self._number += 1
        key = f"g{self._record.manifest.generation}/{self._number:08d}"
        self._written.add(key)
        return key

    def _new_letters(self) -> tuple[list[Blob], tuple[int, int], bytes]:
        """Upload new dead letters; return all of them, the position after them, and the content of the last one."""
        found, last = list(self._record.manifest.letters), self._last
        body, position = self._tail.read()
        if body:
            if last and len(last) < _LETTERS:
                body = last + body
                found.pop()
            found.append(self._upload(body))
            last = body if len(body) < _LETTERS else b""
        while sum(blob.size for blob in found[1:]) > self._letters or len(found) > _LETTER_OBJECTS:
            found.pop(0)
        return found, position, last

    def _remove_others(self) -> None:
        """Delete what the manifest does not name any more."""
        unused = self._written - self._record.manifest.keys
        if unused:
            try:
                self._store.delete(f"{self._where}/{key}" for key in sorted(unused))
            except StoreError as error:
                _LOG.debug("%s: %s", self._where, error)
                return
            self._written -= unused


def orphans(keys: Sequence[str], manifest: Manifest, where: str) -> list[str]:
    """Return the objects that former owners have left: of lower generations, and not in the manifest."""
    found = []
    for key in keys:
        name = key.removeprefix(f"{where}/")
        generation, _, number = name.partition("/")
        is_earlier = number and generation[1:].isdigit() and int(generation[1:]) < manifest.generation
        if is_earlier and name not in manifest.keys:
            found.append(key)
    return found
