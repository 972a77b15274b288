"""The training matrix on disk: written and read piece by piece, so that it may be larger than memory.

It is a numpy file (float64, n × F). Pieces are mapped one at a time, and let go before the next.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from netops.files import atomic_path
from netops.models.scaling import Scaling
from netops.telemetry.dataset import Dataset
from netops.training.rows import pieces

#: The features of a fold, in its folder.
NAMES = "names.json"
#: Values (rows × columns) of a piece: 32 MB, and 16 MB more once they are scaled.
PIECE = 4_000_000

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def fold_folder(folder: Path, fold: int) -> Path:
    """Name the folder of the training rows of a fold, with its own choice of features, in that of the examples."""
    return folder / f"fold-{fold}"


def write_matrix(path: Path, dataset: Dataset, names: tuple[str, ...], rows: npt.NDArray[np.int64]) -> Flags:
    """Write some columns of some rows of a features dataset.

    Parameters
    ----------
    path : Path
        The file; it appears whole or not at all.
    dataset : Dataset
    names : tuple of str
        The F columns; one that the dataset lacks is NaN.
    rows : int64 array, n
        Rising.

    Returns
    -------
    bool array, F
        The columns that hold at least two different numbers.
    """
    span = Span.of(len(names))
    values = (span.seen(piece) for _, piece in pieces(dataset, names, rows))
    write_values(path, values, (len(rows), len(names)))
    return span.varies


@dataclass
class Span:
    """The smallest and the greatest number of each of F columns, over the pieces that it has seen."""

    low: Floats
    high: Floats

    @classmethod
    def of(cls, columns: int) -> "Span":
        """Begin without a piece."""
        return cls(np.full(columns, np.inf), np.full(columns, -np.inf))

    def seen(self, piece: Floats) -> Floats:
        """Add a piece, and return it."""
        self.low = np.fmin(self.low, np.fmin.reduce(piece))
        self.high = np.fmax(self.high, np.fmax.reduce(piece))
        return piece

    def add(self, other: "Span") -> None:
        """Add what another one has seen."""
        self.low, self.high = np.fmin(self.low, other.low), np.fmax(self.high, other.high)

    @property
    def varies(self) -> Flags:
        """The columns that hold at least two different numbers."""
        return self.low < self.high


def keep_columns(path: Path, selected: Flags) -> None:
    """Rewrite a matrix with some of its columns."""
    rows = len(np.load(path, mmap_mode="r"))
    write_values(path, (piece[:, selected] for piece in read_pieces(path)), (rows, int(selected.sum())))


def read_pieces(path: Path) -> Iterator[Floats]:
    """Read a matrix piece by piece."""
    rows, columns = np.load(path, mmap_mode="r").shape
    for start, stop in bounds(rows, columns):
        yield np.load(path, mmap_mode="r")[start:stop]


def bounds(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Cut a matrix into pieces: first row, and the row after the last."""
    size = max(1_024, PIECE // max(1, columns))
    for start in range(0, rows, size):
        yield start, min(start + size, rows)


def write_values(path: Path, values: Iterator[Floats], shape: tuple[int, int]) -> None:
    """Write a matrix from its pieces; the file appears whole or not at all."""
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    with atomic_path(path) as draft, draft.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
        for piece in values:
            file.write(np.ascontiguousarray(piece, "<f8").data)


@dataclass(frozen=True)
class ScaledMatrix:
    """A matrix on disk that is scaled while it is read.

    Attributes
    ----------
    path : Path
        A file of :func:`write_matrix`.
    scaling : Scaling
    shape : (int, int)
    """

    path: Path
    scaling: Scaling
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> npt.NDArray[np.float32]:
        return self.scaling.apply(np.load(self.path, mmap_mode="r")[rows])
