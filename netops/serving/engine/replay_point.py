"""From which event time on samples are to be sent again after a crash.

A finished snapshot holds all samples up to some event time. A device that was cut off may send its backlog later:
samples from before that time, which the snapshot does not hold. So the point moves back when such a sample is
taken, and is on disk before the sample is answered.
"""

import os
from pathlib import Path
from threading import Lock

from netops.files import atomic_path, read_json
from netops.serving.engine.clock import NEVER

FILE = "replay.json"
_NONE = 1 << 62


class ReplayPoint:
    """The replay point of one state folder.

    Parameters
    ----------
    folder : Path
        Where the state is.

    Attributes
    ----------
    point : int or None
        Samples with a later event time (ns) are to be sent again; None: all are.
    due : bool
        Whether :meth:`write` has to be called before the samples taken last are answered.
    """

    def __init__(self, folder: Path) -> None:
        self.point: int | None = None
        self.due = False
        self._path = folder / FILE
        self._lowest = _NONE  # of what came since the snapshot under way, or else the last one, was begun
        self._guarded = NEVER  # what comes from before it must be noted
        self._noted = _NONE
        self._lock, self._writing = Lock(), Lock()

    def restore(self, point: int) -> None:
        """Begin with the point of a restored snapshot, or what was noted since."""
        noted = int(read_json(self._path)["point"]) if self._path.exists() else _NONE
        self.point, self._noted = min(point, noted), noted
        self._guarded = self.point

    def take(self, earliest: int) -> None:
        """Note the earliest event time of samples that were taken."""
        if earliest >= self._lowest:
            return
        with self._lock:
            self._lowest = earliest
            if self.point is not None and earliest <= self._guarded:
                self._guarded = self.point = min(self.point, max(earliest - 1, NEVER))
                self.due = True

    def begin(self) -> None:
        """Begin a snapshot: what is taken from now on may be missing in it."""
        with self._lock:
            self._lowest = _NONE

    def finishing(self, point: int) -> None:
        """Have on disk what the snapshot needs, just before it is put in place."""
        with self._lock:
            self._guarded = max(point, self._guarded)
            missing = self._lowest - 1 < point
            if missing and self.point is not None:
                self.point = min(self.point, self._lowest - 1)
        if missing:
            self._write(min(self._noted, self._lowest - 1))

    def finished(self, point: int) -> None:
        """Take over the point of a snapshot that is in place."""
        with self._lock:
            self.point = max(min(point, self._lowest - 1), NEVER)
            self._guarded = self.point
        if self.point < point:
            self.write()
        else:
            with self._writing:
                self._path.unlink(missing_ok=True)
                self._noted = _NONE

    def write(self) -> None:
        """Write the point to disk; may run in another thread."""
        self.due = False
        if self.point is not None:
            self._write(self.point)

    def _write(self, point: int) -> None:
        with self._writing, atomic_path(self._path) as draft, draft.open("w") as file:
            file.write(f'{{"point": {point}}}\n')
            file.flush()
            os.fsync(file.fileno())
            self._noted = point
