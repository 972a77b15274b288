"""Training data of XGBoost: matrices in memory, or quantised pages on disk if the features are on disk.

Pages (XGBoost's external memory) are made from two readings of the features and take a byte or two a value.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary, finalize

import numpy as np
import numpy.typing as npt

from netops.models.fitted import Floats
from netops.training.families.protocol import FitData
from netops.training.matrix import ScaledMatrix

if TYPE_CHECKING:
    import xgboost

#: Bins of a feature; XGBoost's default for matrices in memory.
BINS = 256

#: Features, labels and weights of some rows.
Piece: TypeAlias = tuple[Floats, Floats, npt.NDArray[np.float64]]

_made: "WeakKeyDictionary[FitData, _Matrices]" = WeakKeyDictionary()


def matrices_of(data: FitData, threads: int) -> "list[xgboost.DMatrix]":
    """Return the matrix to fit and, if any, that of the early-stopping rows; created once for all trials."""
    if data not in _made:
        _made[data] = _Matrices(data, threads)
    return _made[data].matrices


class _Matrices:
    """The matrices and the folder of their pages, which is deleted with them."""

    def __init__(self, data: FitData, threads: int) -> None:
        parts = (False, True)[: 1 + data.stops_early]
        if not isinstance(data.features, ScaledMatrix):
            self.matrices = [_in_memory(data, early, threads) for early in parts]
            return
        # Next to the features: the system's folder for temporary files may be in memory.
        folder = tempfile.mkdtemp(prefix=".pages-", dir=data.features.path.parent)
        finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.matrices = []
        for early in parts:
            prefix = Path(folder) / ("early" if early else "fit")
            self.matrices.append(_on_disk(data, early, prefix, self.matrices[0] if early else None, threads))


def _in_memory(data: FitData, early: bool, threads: int) -> "xgboost.DMatrix":
    import xgboost

    features, labels, weights = data.subset(early)
    return xgboost.DMatrix(features, labels, weight=weights, nthread=threads)


def _on_disk(
    data: FitData, early: bool, prefix: Path, reference: "xgboost.DMatrix | None", threads: int
) -> "xgboost.DMatrix":
    """Make pages; those of the rows set aside get the bins of the others."""
    import xgboost

    class Pieces(xgboost.DataIter):
        """Yields the pieces in order; can be restarted."""

        def __init__(self, read: Callable[[], Iterator[Piece]]) -> None:
            self.read = read
            self._going = read()
            super().__init__(cache_prefix=str(prefix))

        def next(self, input_data: Callable[..., None]) -> bool:
            piece = next(self._going, None)
            if piece is None:
                return False
            features, labels, weights = piece
            input_data(data=features, label=labels, weight=weights)
            return True

        def reset(self) -> None:
            self._going = self.read()

    pieces = Pieces(lambda: data.pieces(early))
    matrix = xgboost.ExtMemQuantileDMatrix(pieces, nthread=threads, max_bin=BINS, ref=reference)
    # The matrix keeps the iterator: through it the data would keep their own pages for ever.
    pieces.read = lambda: iter(())
    pieces.reset()
    return matrix
