"""Score the champion's samples with the shadow, in batches."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.serving.engine.champion import ServedModel
from netops.serving.engine.devices import DeviceTable
from netops.serving.engine.samples import joined_failures
from netops.serving.engine.work import Work
from netops.serving.shadow.comparison import Comparison

#: Batch size: the shadow's risks are not needed immediately, and large batches are cheaper.
BATCH = 256


@dataclass(slots=True)
class Batch:
    """Samples that the shadow has not scored yet; ``is_error`` is None if none of them has it."""

    codes: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    features: npt.NDArray[np.float64]
    risks: npt.NDArray[np.float64]
    live: npt.NDArray[np.bool_]
    is_error: npt.NDArray[np.bool_] | None

    @classmethod
    def of(cls, work: Work, features: npt.NDArray[np.float64]) -> "Batch":
        """Return the scored samples of a request."""
        rows, samples = work.scored, work.samples
        is_error = None if samples.is_error is None else samples.is_error[rows]
        return cls(work.codes[rows], samples.timestamps[rows], features, work.risks, ~work.quarantined, is_error)

    @classmethod
    def joined(cls, parts: "Sequence[Batch]") -> "Batch":
        """Return several batches as one; where only some have ``is_error``, the others count as healthy."""
        return cls(
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.timestamps for part in parts]),
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.risks for part in parts]),
            np.concatenate([part.live for part in parts]),
            joined_failures([(len(part.codes), part.is_error) for part in parts]),
        )

    def rows(self, selected: npt.NDArray[np.bool_]) -> "Batch":
        """Return some of the samples."""
        return Batch(
            self.codes[selected],
            self.timestamps[selected],
            self.features[selected],
            self.risks[selected],
            self.live[selected],
            None if self.is_error is None else self.is_error[selected],
        )


class ShadowScorer:
    """Scores samples with the shadow and updates the comparison.

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
    lock : context manager
        Held while the comparison is used.
    waiting : int
        The number of samples that a flush has not scored.
    """

    waiting = 0

    def __init__(self, model: ServedModel, comparison: Comparison, table: DeviceTable) -> None:
        self.model, self.comparison, self.table = model, comparison, table
        self.lock: AbstractContextManager[object] = nullcontext()
        self._pending: list[Batch] = []
        self._rows = 0

    def add(self, work: Work, features: npt.NDArray[np.float64], dropped: Collection[int]) -> None:
        """Add the scored samples of a request.

        Parameters
        ----------
        work : Work
        features : float64 array, k × features of the spec
        dropped : collection of int
            Codes of dropped devices, which may have been reused.

        Raises
        ------
        NetopsError
            If the shadow returns invalid risks.
        """
        if dropped:
            self._forget(dropped)
        self._pending.append(Batch.of(work, features))
        self._rows += len(work.scored)
        if self._rows >= BATCH:
            self.flush()

    def flush(self, wait: bool = False) -> None:
        """Score and compare the pending samples; ``wait`` changes nothing.

        Raises
        ------
        NetopsError
            If the shadow returns invalid risks.
        """
        if self._rows == 0:
            return
        found = Batch.joined(self._pending)
        self._pending, self._rows = [], 0
        both = (found.risks, scored(self.model, found.features))
        self.comparison.add(self.table, found.codes, found.timestamps, both, found.live, found.is_error)

    def _forget(self, dropped: Collection[int]) -> None:
        """Remove dropped devices and their pending samples."""
        codes = np.array(list(dropped), dtype=np.int64)
        self._pending = [part.rows(~np.isin(part.codes, codes)) for part in self._pending]
        before, self._rows = self._rows, sum(len(part.codes) for part in self._pending)
        self.comparison.skipped += before - self._rows
        self.flush()
        self.comparison.forget(codes.tolist())


def scored(model: ServedModel, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the risks of n × features of the spec.

    Raises
    ------
    NetopsError
        If the model returns invalid risks.
    """
    risks = model.score(model.select(features))
    if risks.shape != (len(features),) or not ((risks >= 0) & (risks <= 1)).all():
        raise NetopsError("it returned risks outside 0..1")
    return risks
