"""Rows of a features dataset, read on the workers of a cluster: one task per file of the dataset.

The workers return what is asked for of the rows, or write it next to the examples; other rows never leave them.
What they return does not depend on their number.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from netops.compute.cluster import Cluster
from netops.models.onnx_file import Session
from netops.telemetry.dataset import Dataset
from netops.training.matrix import Flags, Floats, Span, read_pieces, write_values
from netops.training.rows import pieces_of_files

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Selection:
    """Some rows of one file.

    Attributes
    ----------
    file : str
        The file.
    first : int
        Index of its first row in the dataset.
    rows : str
        File of the selected rows of the whole dataset, rising.
    low, high : int
        Those of this file are ``rows[low:high]``.
    """

    file: str
    first: int
    rows: str
    low: int
    high: int

    def pieces(self, columns: tuple[str, ...]) -> Iterator[Floats]:
        """Read them piece by piece."""
        rows = np.load(self.rows, mmap_mode="r", allow_pickle=False)[self.low : self.high] - self.first
        for _, piece in pieces_of_files([Path(self.file)], columns, rows):
            yield piece


def write_matrix_on(cluster: Cluster, path: Path, dataset: Dataset, names: tuple[str, ...], rows: Rows) -> Flags:
    """Do what :func:`netops.training.matrix.write_matrix` does, on a cluster: the same file.

    Each worker writes the rows of a file next to ``path``; here they are only put together, piece by piece.
    """
    span = Span.of(len(names))
    with _selected(dataset, rows, path.parent) as selections:
        drafts = [path.with_name(f".{path.name}-{uuid4().hex[:8]}") for _ in selections]
        try:
            jobs = [(one, names, str(draft)) for one, draft in zip(selections, drafts, strict=True)]
            for _, seen in cluster.run(_matrix_task, jobs):
                span.add(seen)
            values = (piece for draft in drafts for piece in _consumed(draft))
            write_values(path, values, (len(rows), len(names)))
        finally:
            for draft in drafts:
                draft.unlink(missing_ok=True)
    return span.varies


def _matrix_task(selection: _Selection, names: tuple[str, ...], out: str) -> Span:
    span = Span.of(len(names))
    values = (span.seen(piece) for piece in selection.pieces(names))
    write_values(Path(out), values, (selection.high - selection.low, len(names)))
    return span


def _consumed(path: Path) -> Iterator[Floats]:
    """Read a written matrix piece by piece, and remove it."""
    yield from read_pieces(path)
    path.unlink()


def pieces_on(
    cluster: Cluster, dataset: Dataset, columns: tuple[str, ...], rows: Rows, scratch: Path
) -> Iterator[tuple[slice, Floats]]:
    """Read some columns of some rows, file by file, in the order in which the workers finish.

    Parameters
    ----------
    cluster : Cluster
    dataset, columns, rows
        As for :func:`netops.training.rows.pieces`.
    scratch : Path
        Folder that all workers see.

    Yields
    ------
    slice, float64 array
        Which of ``rows`` these are, and their values.
    """
    with _selected(dataset, rows, scratch) as selections:
        for index, values in cluster.run(_read_task, [(selection, columns) for selection in selections]):
            yield slice(selections[index].low, selections[index].high), values


def gather_on(cluster: Cluster, dataset: Dataset, columns: tuple[str, ...], rows: Rows, scratch: Path) -> Floats:
    """Do what :func:`netops.training.rows.gather` does, on a cluster (see :func:`pieces_on`)."""
    matrix = np.empty((len(rows), len(columns)))
    for piece, values in pieces_on(cluster, dataset, columns, rows, scratch):
        matrix[piece] = values
    return matrix


def _read_task(selection: _Selection, columns: tuple[str, ...]) -> Floats:
    return np.concatenate(list(selection.pieces(columns)))


def score_rows_on(
    cluster: Cluster, model: bytes, dataset: Dataset, names: tuple[str, ...], rows: Rows, scratch: Path
) -> Floats:
    """Score rows on a cluster; a negative row (``~row``) is not scored.

    Parameters
    ----------
    cluster : Cluster
    model : bytes
        Model file; the workers return risks only.
    dataset, names, rows
        As for :func:`netops.training.fitting.score_rows`, whose risks these are.
    scratch : Path
        Folder that all workers see.
    """
    risks = np.full(len(rows), np.nan)
    indices = np.flatnonzero(rows >= 0)
    file = scratch.resolve() / f".model-{uuid4().hex}.onnx"
    try:
        file.write_bytes(model)
        with _selected(dataset, rows[indices], scratch) as selections:
            for index, found in cluster.run(_score_task, [(one, names, str(file)) for one in selections]):
                risks[indices[selections[index].low : selections[index].high]] = found
    finally:
        file.unlink(missing_ok=True)
    return risks


def _score_task(selection: _Selection, names: tuple[str, ...], model: str) -> Floats:
    return np.concatenate([_session(model).score(piece) for piece in selection.pieces(names)])


@functools.lru_cache(maxsize=2)
def _session(model: str) -> Session:
    """Load a model file once for all tasks of a worker; no other is ever written under its name."""
    return Session(Path(model))


@contextmanager
def _selected(dataset: Dataset, rows: Rows, scratch: Path) -> Iterator[list[_Selection]]:
    """Write the rows where the workers see them, and cut them by file; files without a row are left out."""
    path = scratch.resolve() / f".rows-{uuid4().hex}.npy"
    try:
        np.save(path, rows, allow_pickle=False)
        yield list(_cut(dataset, rows, path))
    finally:
        path.unlink(missing_ok=True)


def _cut(dataset: Dataset, rows: Rows, path: Path) -> Iterator[_Selection]:
    first = 0
    for part in dataset.parts:
        count = pq.read_metadata(part).num_rows
        low, high = (int(index) for index in np.searchsorted(rows, (first, first + count)))
        if low < high:
            yield _Selection(str(part.resolve()), first, str(path), low, high)
        first += count
