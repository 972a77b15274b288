"""Score with the shadow in a thread, so that a stream does not wait for it."""

import os
import sys
import threading
from collections import deque
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

import numpy as np
import numpy.typing as npt

from netops.serving.engine.champion import ServedModel
from netops.serving.engine.devices import DeviceTable
from netops.serving.engine.work import Work
from netops.serving.shadow.comparison import Comparison
from netops.serving.shadow.scorer import BATCH, Batch, scored

#: Samples of a partition that may wait; more are skipped.
LIMIT = 32 * BATCH
#: Seconds for which a snapshot waits for the samples before it, unless the shadow does not keep up.
_PATIENCE = 0.1
_NICENESS = 10


@dataclass(frozen=True)
class _Names:
    """The names of the devices when their samples came; a code may be used again since."""

    names: dict[int, str | None]


class BackgroundScorer:
    """Scores samples with the shadow in a thread of low priority, and updates the comparison.

    Parameters
    ----------
    model : ServedModel
        The shadow.
    comparison : Comparison
        Comparison of champion and shadow.
    table : DeviceTable
        The names of the devices.

    Attributes
    ----------
    lock : Lock
        Held while the comparison is used.
    """

    def __init__(self, model: ServedModel, comparison: Comparison, table: DeviceTable) -> None:
        self.model, self.comparison, self._table = model, comparison, table
        self.lock = threading.Lock()
        self._changed = threading.Condition(self.lock)
        self._pending: deque[tuple[Batch, _Names]] = deque()
        self._rows = self._scoring = 0
        self._dropped: set[int] = set()
        self._error: Exception | None = None
        self._is_scheduled = self._is_late = False

    def add(self, work: Work, features: npt.NDArray[np.float64], dropped: Collection[int]) -> None:
        """Add the scored samples of a batch (see ``ShadowScorer.add``)."""
        batch = Batch.of(work, features)
        names = _Names({code: self._table.names[code] for code in batch.codes.tolist()})
        with self.lock:
            self._raise()
            if dropped:
                self._forget(dropped)
            if self.waiting + len(batch.codes) > LIMIT:
                self.comparison.skipped += len(batch.codes)
                self._is_late = True
                return
            self._pending.append((batch, names))
            self._rows += len(batch.codes)
            if self._rows >= BATCH:
                self._schedule()

    @property
    def waiting(self) -> int:
        """The number of samples that have not been compared yet."""
        return self._rows + self._scoring

    def flush(self, wait: bool = False) -> None:
        """Score what waits; ``wait`` a moment for it.

        Raises
        ------
        Exception
            If the shadow has failed.
        """
        with self._changed:
            self._schedule()
            end = monotonic() + (0.0 if self._is_late or not wait else _PATIENCE)
            while self.waiting and self._error is None and (left := end - monotonic()) > 0:
                self._changed.wait(left)
            self._is_late = False
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _schedule(self) -> None:
        if self._rows and not self._is_scheduled:
            self._is_scheduled = True
            _THREAD.submit(self._run)

    def _run(self) -> None:
        """Score all that waits."""
        while (batches := self._next()) is not None:
            try:
                parts = [batch for batch, _ in batches]
                risks = scored(self.model, np.concatenate([part.features for part in parts]))
                with self.lock:
                    self._compare(batches, risks)
            except Exception as error:  # noqa: BLE001 raised by the next call
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return

    def _next(self) -> list[tuple[Batch, _Names]] | None:
        with self._changed:
            self._scoring = 0
            self._dropped.clear()
            found: list[tuple[Batch, _Names]] = []
            while self._pending and self._scoring < BATCH:
                found.append(self._pending.popleft())
                self._scoring += len(found[-1][0].codes)
            self._rows -= self._scoring
            if not found:
                self._is_scheduled = False
                self._changed.notify_all()
            return found or None

    def _compare(self, batches: list[tuple[Batch, _Names]], risks: npt.NDArray[np.float64]) -> None:
        joined = Batch.joined([batch for batch, _ in batches])
        names = _Names({code: name for _, own in batches for code, name in own.names.items()})
        remaining = ~np.isin(joined.codes, list(self._dropped))
        joined = joined.rows(remaining)
        self.comparison.skipped += len(remaining) - len(joined.codes)
        both = (joined.risks, risks[remaining])
        self.comparison.add(names, joined.codes, joined.timestamps, both, joined.live, joined.is_error)

    def _forget(self, dropped: Collection[int]) -> None:
        """Remove dropped devices and their samples; their codes may be used again."""
        codes = np.array(list(dropped), dtype=np.int64)
        self._pending = deque((batch.rows(~np.isin(batch.codes, codes)), names) for batch, names in self._pending)
        before, self._rows = self._rows, sum(len(batch.codes) for batch, _ in self._pending)
        self.comparison.skipped += before - self._rows
        self._dropped.update(dropped)
        self.comparison.forget(codes.tolist())


def _lower_priority() -> None:
    if sys.platform == "linux":  # where a thread has a priority of its own
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


_THREAD = ThreadPoolExecutor(1, "shadow", _lower_priority)
