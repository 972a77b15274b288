"""Peak memory of this process and all its children, measured while they run."""

import itertools
import threading
from types import TracebackType

import psutil

_PERIOD = 0.25
#: Periods between two listings of the children: a listing reads the files of every process of the machine.
_LISTING = 4


class PeakMemory:
    """Watches the resident memory of the process tree within a ``with`` block; ``megabytes`` is its peak."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        this = psutil.Process()
        children: list[psutil.Process] = []
        for number in itertools.count():
            if self._done.wait(_PERIOD):
                return
            if number % _LISTING == 0:
                children = this.children(recursive=True)
            total = sum(_resident(process) for process in (this, *children))
            self.megabytes = max(self.megabytes, total / 2**20)


def _resident(process: psutil.Process) -> int:
    try:
        resident: int = process.memory_info().rss
        return resident
    except psutil.Error:  # it ended after the listing
        return 0
