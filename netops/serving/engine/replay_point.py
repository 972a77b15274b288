"""The replay point: the event time from which samples must be sent again after a crash.

A finished snapshot contains all samples up to some event time. A device that was disconnected may send its backlog
later: samples before that time, which are not in the snapshot. The point then moves back, and is written to disk
before the sample is answered.
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
        The state folder.

    Attributes
    ----------
    point : int or None
        Samples with a later event time (ns) must be sent again; None: all samples.
    due : bool
        Whether :meth:`write` must be called before the latest samples are answered.
    """

    def __init__(self, folder: Path) -> None:
        self.point: int | None = None
        self.due = False
        self._path = folder / FILE
        self._lowest = _NONE  # earliest sample since the start of the current or last snapshot
        self._guarded = NEVER  # earlier samples move the point
        self._written = _NONE
        self._lock, self._writing = Lock(), Lock()

    def restore(self, point: int) -> None:
        """Start with the point of a restored snapshot, or the one written since."""
        noted = int(read_json(self._path)["point"]) if self._path.exists() else _NONE
        self.point, self._written = min(point, noted), noted
        self._guarded = self.point

    def add(self, earliest: int) -> None:
        """Process the earliest event time of accepted samples."""
        if earliest >= self._lowest:
            return
        with self._lock:
            self._lowest = earliest
            if self.point is not None and earliest <= self._guarded:
                self._guarded = self.point = min(self.point, max(earliest - 1, NEVER))
                self.due = True

    def start(self) -> None:
        """Start a snapshot: samples from now on may be missing in it."""
        with self._lock:
            self._lowest = _NONE

    def finishing(self, point: int) -> None:
        """Write the replay point of a snapshot to disk, just before the snapshot file is renamed."""
        with self._lock:
            self._guarded = max(point, self._guarded)
            missing = self._lowest - 1 < point
            if missing and self.point is not None:
                self.point = min(self.point, self._lowest - 1)
        if missing:
            self._write(min(self._written, self._lowest - 1))

    def finished(self, point: int) -> None:
        """Set the replay point of a snapshot that has been renamed."""
        with self._lock:
            self.point = max(min(point, self._lowest - 1), NEVER)
            self._guarded = self.point
        if self.point < point:
            self.write()
        else:
            with self._writing:
                self._path.unlink(missing_ok=True)
                self._written = _NONE

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
            self._written = point
