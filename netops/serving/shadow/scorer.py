"""A champion and its shadow at work: the samples that one has scored, scored by the other, many at once."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.serving.engine.champion import ServedModel
from netops.serving.engine.devices import DeviceTable
from netops.serving.engine.work import Work
from netops.serving.shadow.comparison import Comparison

#: Samples that wait at most: nobody waits for the shadow's risks, and many at once cost least.
BATCH = 256
_COLUMNS = ("codes", "timestamps", "features", "risks", "live")


@dataclass(slots=True)
class _Waiting:
    """Samples that the shadow has still to score."""

    codes: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    features: npt.NDArray[np.float64]
    risks: npt.NDArray[np.float64]
    live: npt.NDArray[np.bool_]
    is_error: npt.NDArray[np.bool_] | None


class ShadowScorer:
    """Takes what the champion scored, and keeps the comparison.

    Parameters
    ----------
    model : ServedModel
        The shadow.
    comparison : Comparison
        Of the two.
    table : DeviceTable
        Gives the names of the devices.
    """

    def __init__(self, model: ServedModel, comparison: Comparison, table: DeviceTable) -> None:
        self.model, self.comparison, self.table = model, comparison, table
        self._waiting: list[_Waiting] = []
        self._rows = 0

    def add(self, work: Work, features: npt.NDArray[np.float64], dropped: Collection[int]) -> None:
        """Take the scored samples of a request.

        Parameters
        ----------
        work : Work
        features : float64 array, k × features of the spec
        dropped : collection of int
            Codes of devices that were dropped before; others may hold them by now.

        Raises
        ------
        NetopsError
            If the shadow gives no risks.
        """
        if dropped:
            self._forget(dropped)
        rows, samples = work.scored, work.samples
        is_error = None if samples.is_error is None else samples.is_error[rows]
        codes, timestamps = work.codes[rows], samples.timestamps[rows]
        self._waiting.append(_Waiting(codes, timestamps, features, work.risks, ~work.on_trial, is_error))
        self._rows += len(rows)
        if self._rows >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Score and compare what waits.

        Raises
        ------
        NetopsError
            If the shadow gives no risks.
        """
        if self._rows == 0:
            return
        waiting, self._waiting, self._rows = self._waiting, [], 0
        codes, timestamps, features, risks, live = (
            np.concatenate([getattr(part, name) for part in waiting]) for name in _COLUMNS
        )
        ours = self._score(features)
        self.comparison.follow(self.table, codes, timestamps, (risks, ours), live, _truth(waiting))

    def _score(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        risks = self.model.score(self.model.select(features))
        if risks.shape != (len(features),) or not ((risks >= 0) & (risks <= 1)).all():
            raise NetopsError("it gave no risks within 0 and 1")
        return risks

    def _forget(self, dropped: Collection[int]) -> None:
        """Drop devices, and what of them waits: their names are gone."""
        codes = np.array(list(dropped), dtype=np.int64)
        for part in self._waiting:
            kept = ~np.isin(part.codes, codes)
            for name in (*_COLUMNS, "is_error"):
                if (column := getattr(part, name)) is not None:
                    setattr(part, name, column[kept])
        self._rows = sum(len(part.codes) for part in self._waiting)
        self.flush()
        self.comparison.forget(codes.tolist())


def _truth(waiting: list[_Waiting]) -> npt.NDArray[np.bool_] | None:
    """Join what the senders say of failures; who says nothing says that there is none, where others do."""
    if all(part.is_error is None for part in waiting):
        return None
    nothing = [np.zeros(len(part.codes), np.bool_) for part in waiting]
    return np.concatenate(
        [none if part.is_error is None else part.is_error for part, none in zip(waiting, nothing, strict=True)]
    )
