"""The processors of this process, and work in several threads."""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import numpy as np
import numpy.typing as npt

P = ParamSpec("P")
T = TypeVar("T")
#: Minimum rows of a thread that scores or explains: fewer are faster in one.
SMALLEST = 64
#: Quota and period of a control group, such as the limit of a container.
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cpus(quota: Path = _QUOTA) -> int:
    """Count the processors this process may use: those it may run on, and the limit of its container."""
    allowed = getattr(os, "sched_getaffinity", None)
    count = len(allowed(0)) if allowed else os.cpu_count() or 1
    try:
        limit, period = quota.read_text(encoding="ascii").split()
        return min(count, max(1, math.ceil(int(limit) / int(period))))
    except (OSError, ValueError):  # no control group, or one without a limit ("max")
        return count


class Calls:
    """Calls that run in as many threads as there are processors; a context manager that waits for all of them.

    For functions that mostly release the interpreter's lock. Each has a copy of the context of the caller.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(cpus(), "calls")

    def start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Start a call as soon as a processor is free; its result is that of the future."""
        context = copy_context()
        return self._pool.submit(lambda: context.run(call, *args, **kwargs))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=error is not None)


class RowThreads:
    """Applies functions of independent rows in several threads; for functions that release the interpreter's lock.

    Parameters
    ----------
    count : int
        Number of threads.
    smallest : int
        Minimum rows of a piece: less work is faster in one thread.
    """

    def __init__(self, count: int, smallest: int = SMALLEST) -> None:
        self._count, self._smallest = count, smallest
        # The calling thread takes one of the pieces.
        self._pool = ThreadPoolExecutor(count - 1, "rows") if count > 1 else None

    def map(self, function: Callable[[npt.NDArray[np.float64]], T], rows: npt.NDArray[np.float64]) -> Sequence[T]:
        """Apply a function to pieces of n rows; return its results in the order of the rows."""
        pieces = min(self._count, len(rows) // self._smallest)
        if self._pool is None or pieces < 2:
            return [function(rows)]
        first, *others = np.array_split(rows, pieces)
        futures = [self._pool.submit(function, piece) for piece in others]
        return [function(first), *(future.result() for future in futures)]
