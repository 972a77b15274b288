"""Peak memory of this process and all its children, measured while they run."""

import itertools
import threading
from types import TracebackType
from typing import Self

import psutil

#: Periods between two listings of the children: a listing reads the files of every process of the machine.
_LISTING = 4


class PeakMemory:
    """Watches the resident memory of the process tree within a ``with`` block.

    Parameters
    ----------
    period : float
        Seconds between looks.

    Attributes
    ----------
    megabytes : float
        Peak of all processes together.
    processes : dict
        Process id → peak of that process, in megabytes.
    """

    def __init__(self, period: float = 0.25) -> None:
        self.megabytes = 0.0
        self.processes: dict[int, float] = {}
        self._period, self._done = period, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def seen(self, process: psutil.Process, megabytes: float) -> None:
        """Take the memory of a process at one look."""
        self.processes[process.pid] = max(self.processes.get(process.pid, 0.0), megabytes)

    def _watch(self) -> None:
        this = psutil.Process()
        children: list[psutil.Process] = []
        for number in itertools.count():
            if self._done.wait(self._period):
                return
            if number % _LISTING == 0:
                children = this.children(recursive=True)
            self.megabytes = max(self.megabytes, sum(self._look(process) for process in (this, *children)))

    def _look(self, process: psutil.Process) -> float:
        try:
            resident: float = process.memory_info().rss / 2**20
            self.seen(process, resident)
        except psutil.Error:  # it ended after the listing
            return 0.0
        return resident
