"""The states of partitions in an object store: how a process takes them over."""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from msgspec.structs import replace

from netops.errors import NetopsError
from netops.serving.engine.snapshot import FILE
from netops.serving.folders import ALERTS
from netops.serving.stream.object_store.alert_image import assembled
from netops.serving.stream.object_store.client import ConflictError, ObjectStore, StoreError
from netops.serving.stream.object_store.lease import ObjectLease, Record, now, orphans
from netops.serving.stream.object_store.manifest import NAME, Blob, Manifest, decoded
from netops.serving.stream.object_store.work_folder import Identity, write_texts

_LOG = logging.getLogger(__name__)
#: The folder of all partitions below the prefix.
PARTITIONS = "partitions"
#: Seconds between two looks at a state that is still owned, and resolution of the times of the store.
_LOOK, _RESOLUTION = 0.25, 1.0
#: Requests at the same time.
_PARALLEL = 8


class ObjectState:
    """The states in an object store (see ``engine.shared_state.SharedState``).

    Parameters
    ----------
    store : ObjectStore
    scratch : Path
        A local folder, of this process alone, in which it works on the states.
    letters : int
        Maximum bytes of dead letters of a partition in the store.
    """

    def __init__(self, store: ObjectStore, scratch: Path, letters: int) -> None:
        self.store, self._scratch, self._letters = store, scratch, letters
        self._pool = ThreadPoolExecutor(_PARALLEL, "object store")
        self._claims = ThreadPoolExecutor(_PARALLEL, "object store claim")

    def claim(self, name: str, patience: float) -> "ObjectClaim":
        """Return a claim on the state of a partition (see ``engine.shared_state.SharedState``)."""
        where = self.store.address.key(PARTITIONS, name)
        return ObjectClaim(
            self.store, where, self._scratch / name, patience, self._letters, self._pool, self._claims
        )

    def close(self) -> None:
        """End the threads."""
        self._claims.shutdown(cancel_futures=True)
        self._pool.shutdown()


class ObjectClaim:
    """Repeated attempts to take over the state of a partition; the store is asked in the background.

    Parameters
    ----------
    store : ObjectStore
    where : str
        The prefix of the partition.
    folder : Path
        Where this process works on its states.
    patience : float
        Seconds for which a lease is valid.
    letters : int
        Maximum bytes of dead letters in the store.
    pool, claims : Executor
        Downloads and uploads; attempts.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self,
        store: ObjectStore,
        where: str,
        folder: Path,
        patience: float,
        letters: int,
        pool: Executor,
        claims: Executor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._where, self._folder, self._patience = store, where, folder, patience
        self._letters, self._pool, self._claims, self._clock = letters, pool, claims, clock
        self._running: Future[ObjectLease | None] | None = None
        self._next = clock()
        self._seen, self._since = "", clock()

    def attempt(self) -> ObjectLease | None:
        """Return the lease once the state has been taken over and downloaded; None until then.

        Raises
        ------
        NetopsError
            If the store does not answer, or the state is damaged.
        """
        if self._running is None:
            if self._clock() >= self._next:
                self._running = self._claims.submit(self._take_over)
            return None
        if not self._running.done():
            return None
        running, self._running, self._next = self._running, None, self._clock() + _LOOK
        return running.result()

    def abandon(self) -> None:
        """End the claim; a state that is taken over meanwhile is released."""
        if self._running is not None and not self._running.cancel():
            self._running.add_done_callback(_release)

    def _take_over(self) -> ObjectLease | None:
        key = f"{self._where}/{NAME}"
        found = self._store.read(key)
        manifest = Manifest(0, "", "") if found is None else decoded(found.body, self._where)
        if found is not None and manifest.owner and not self._is_over(manifest, found.age):
            return None
        since, mine = now(), uuid4().hex
        manifest = replace(manifest, generation=manifest.generation + 1, owner=mine, write=mine)
        try:
            etag = self._store.replace(key, manifest.encoded(), None if found is None else found.etag)
        except ConflictError:
            return None  # another process was faster
        folder = self._folder / f"g{manifest.generation}"
        shutil.rmtree(self._folder, ignore_errors=True)
        folder.mkdir(parents=True)
        record = Record(self._store, self._where, manifest, etag, since)
        lease = ObjectLease(self._store, self._where, folder, record, self._patience, self._letters, self._pool)
        try:
            self._restore(lease, manifest)
        except BaseException:
            lease.release()
            raise
        self._pool.submit(self._remove_orphans, manifest)
        return lease

    def _is_over(self, manifest: Manifest, age: float) -> bool:
        """Return whether a lease has ended: by the times of the store, or because it is not renewed."""
        if manifest.write != self._seen:
            self._seen, self._since = manifest.write, self._clock()
        return age > self._patience + _RESOLUTION or self._clock() - self._since > self._patience

    def _restore(self, lease: ObjectLease, manifest: Manifest) -> None:
        """Download the state."""
        files = {name: (blob, lease.folder / name) for name, blob in manifest.snapshots.items()}
        for name in files:
            if Path(name).name != name or not name.startswith(FILE.partition(".")[0]):
                raise NetopsError(f"{self._where}/{NAME}: it names an unknown file: {name[:100]}")
        packs = [] if manifest.alerts is None else manifest.alerts.packs
        paths = [lease.folder / f".pack-{number}" for number in range(len(packs))]
        list(self._pool.map(self._download, [*files.values(), *zip(packs, paths, strict=True)]))
        alerts = b""
        if manifest.alerts is not None:
            alerts = assembled(manifest.alerts, [path.read_bytes() for path in paths], self._where)
            (lease.folder / ALERTS).write_bytes(alerts)
        for path in paths:
            path.unlink()
        write_texts(lease.folder, manifest.texts)
        lease.restored({Identity.of(path.stat()): blob for blob, path in files.values()}, alerts)

    def _download(self, one: tuple[Blob, Path]) -> None:
        blob, path = one
        self._store.download(f"{self._where}/{blob.key}", blob.size, path)

    def _remove_orphans(self, manifest: Manifest) -> None:
        """Delete what former owners have left, for example when they were killed during a write."""
        try:
            keys: Sequence[str] = list(self._store.keys(f"{self._where}/g"))
            self._store.delete(orphans(keys, manifest, self._where))
        except StoreError as error:
            _LOG.debug("%s: %s", self._where, error)


def _release(done: "Future[ObjectLease | None]") -> None:
    if not done.cancelled() and done.exception() is None and (lease := done.result()) is not None:
        lease.release()
