"""Score the champion's samples with the shadow, in batches."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.serving.engine.champion import ServedModel
from netops.serving.engine.devices import DeviceTable
from netops.serving.engine.work import Work
from netops.serving.shadow.comparison import Comparison

#: Batch size: the shadow's risks are not needed immediately, and large batches are cheaper.
BATCH = 256
_COLUMNS = ("codes", "timestamps", "features", "risks", "live")


@dataclass(slots=True)
class _Pending:
    """Samples that the shadow has not scored yet."""

    codes: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    features: npt.NDArray[np.float64]
    risks: npt.NDArray[np.float64]
    live: npt.NDArray[np.bool_]
    is_error: npt.NDArray[np.bool_] | None


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
    """

    def __init__(self, model: ServedModel, comparison: Comparison, table: DeviceTable) -> None:
        self.model, self.comparison, self.table = model, comparison, table
        self._pending: list[_Pending] = []
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
        rows, samples = work.scored, work.samples
        is_error = None if samples.is_error is None else samples.is_error[rows]
        codes, timestamps = work.codes[rows], samples.timestamps[rows]
        self._pending.append(_Pending(codes, timestamps, features, work.risks, ~work.quarantined, is_error))
        self._rows += len(rows)
        if self._rows >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Score and compare the pending samples.

        Raises
        ------
        NetopsError
            If the shadow returns invalid risks.
        """
        if self._rows == 0:
            return
        pending, self._pending, self._rows = self._pending, [], 0
        codes, timestamps, features, risks, live = (
            np.concatenate([getattr(part, name) for part in pending]) for name in _COLUMNS
        )
        ours = self._score(features)
        self.comparison.add(self.table, codes, timestamps, (risks, ours), live, _truth(pending))

    def _score(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        risks = self.model.score(self.model.select(features))
        if risks.shape != (len(features),) or not ((risks >= 0) & (risks <= 1)).all():
            raise NetopsError("it returned risks outside 0..1")
        return risks

    def _forget(self, dropped: Collection[int]) -> None:
        """Remove dropped devices and their pending samples."""
        codes = np.array(list(dropped), dtype=np.int64)
        for part in self._pending:
            selected = ~np.isin(part.codes, codes)
            for name in (*_COLUMNS, "is_error"):
                if (column := getattr(part, name)) is not None:
                    setattr(part, name, column[selected])
        self._rows = sum(len(part.codes) for part in self._pending)
        self.flush()
        self.comparison.forget(codes.tolist())


def _truth(pending: list[_Pending]) -> npt.NDArray[np.bool_] | None:
    """Concatenate ``is_error``; if only some requests have it, the others count as healthy. None if none has it."""
    if all(part.is_error is None for part in pending):
        return None
    nothing = [np.zeros(len(part.codes), np.bool_) for part in pending]
    return np.concatenate(
        [none if part.is_error is None else part.is_error for part, none in zip(pending, nothing, strict=True)]
    )
