"""XGBoost on the workers of a cluster, by its own Dask interface, where the training rows do not fit one process.

Each worker reads its pieces of the matrix, scales them, and holds their bins. The same number of workers gives the
same trees: pieces are assigned to the workers in the order of their ranks, which XGBoost gives them by name.
"""

import ctypes
import logging
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from netops.compute.cluster import RETRIES, TABLES, Cluster
from netops.errors import NetopsError
from netops.models.fitted import Floats
from netops.models.scaling import Scaling
from netops.training.families.protocol import FitData
from netops.training.matrix import ScaledMatrix, bounds

if TYPE_CHECKING:
    import xgboost
    from dask.array import Array
    from dask.distributed import Future

#: Bins of a feature; XGBoost's default for matrices in memory.
BINS = 256
#: For each of these one holds rows set aside for early stopping, a fifth of all rows. XGBoost approximates average
#: precision over the rows of several workers; below twice the number one holds them all, and it is exact.
WORKERS_PER_EARLY = 5
#: Seconds between looks for lost workers, and to wait for a failed training to end.
PERIOD, GRACE = 0.5, 5

#: Features, labels and weights of some rows.
Piece = tuple[Floats, Floats, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Trained:
    """A booster, and how many workers have grown it."""

    booster: "xgboost.Booster"
    workers: int


def train_on(
    cluster: Cluster, data: FitData, parameters: dict[str, object], rounds: int, early_stopping_rounds: int
) -> Trained:
    """Grow trees on the workers of a cluster.

    If a worker is lost, all of it is done again, by as many workers if the cluster replaces it.

    Parameters
    ----------
    cluster : Cluster
    data : FitData
        Features on disk, where all workers see them.
    parameters : dict
        Of XGBoost.
    rounds : int
        Trees at most.
    early_stopping_rounds : int
        Trees without gain before it stops, if ``data`` has rows set aside.

    Raises
    ------
    NetopsError
        If it fails again and again, or the scheduler is lost.
    """
    _load_dask()
    names = cluster.workers()
    problem = ""
    for _ in range(RETRIES + 1):
        names = cluster.wait_for(len(names))
        attempt = _Attempt(cluster, data, parameters, rounds, early_stopping_rounds, _ranked(names))
        if (trained := attempt.run()) is not None:
            return trained
        problem = attempt.problem
        _pinned.pop(data, None)
    raise NetopsError(f"xgboost failed on the cluster {RETRIES + 1} times: {problem}")


def _load_dask() -> None:
    """Import XGBoost's Dask interface, with pandas, which a process that fits has blocked."""
    for name in ("pandas", "sklearn"):
        if sys.modules.get(name, sys) is None:
            del sys.modules[name]
    import dask

    dask.config.set(TABLES)
    import xgboost.dask  # noqa: F401


def _ranked(names: dict[str, str]) -> list[str]:
    """Order the addresses of workers as XGBoost ranks them."""
    return sorted(names, key=lambda address: f"[xgboost.dask-{names[address]}]:{address}")


class _Attempt:
    """One training, watched: XGBoost would wait minutes for a lost worker."""

    def __init__(
        self,
        cluster: Cluster,
        data: FitData,
        parameters: dict[str, object],
        rounds: int,
        early_stopping_rounds: int,
        workers: list[str],
    ) -> None:
        self._cluster, self._data, self._workers = cluster, data, workers
        self._how = parameters, rounds, early_stopping_rounds
        self._result: Trained | None = None
        self.problem = ""

    def run(self) -> Trained | None:
        """Train; None if it failed, with the reason in ``problem``."""
        thread = threading.Thread(target=self._train, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(PERIOD)
            there = self._cluster.workers()
            if thread.is_alive() and (lost := [one for one in self._workers if one not in there]):
                self.problem = f"lost {len(lost)} of {len(self._workers)} workers; they may have run out of memory"
                # The others wait for it in native code. What waits for the lost one itself is pinned to an address
                # that no longer exists, and ends with this process.
                self._cluster.restart([one for one in self._workers if one in there])
                thread.join(GRACE)
                return None
        return self._result

    def _train(self) -> None:
        import xgboost.dask

        client = self._cluster.client
        parameters, rounds, patience = self._how
        try:
            with client.as_current():
                fit, *early = _pinned_to(self._cluster, self._data, self._workers).matrices
                found = xgboost.dask.train(
                    client,
                    parameters,
                    fit,
                    rounds,
                    evals=[(matrix, "early") for matrix in early],
                    early_stopping_rounds=patience if early else None,
                    verbose_eval=False,
                )
            self._result = Trained(found["booster"], len(self._workers))
        except Exception as error:  # noqa: BLE001 whatever ends it, the attempt has failed
            self.problem = self.problem or " ".join(f"{type(error).__name__}: {error}".split())[:200]


@dataclass
class _Pinned:
    """The matrices of some rows, and the workers that their pieces are pinned to."""

    workers: list[str]
    matrices: "list[xgboost.dask.DaskQuantileDMatrix]" = field(default_factory=list)


_pinned: "WeakKeyDictionary[FitData, _Pinned]" = WeakKeyDictionary()


def _pinned_to(cluster: Cluster, data: FitData, workers: list[str]) -> _Pinned:
    """Place the rows to fit and, if any, those for early stopping; once for all trials."""
    if data in _pinned and _pinned[data].workers == workers:
        return _pinned[data]
    import xgboost.dask

    pinned = _pinned[data] = _Pinned(workers)
    for early in (False, True)[: 1 + data.stops_early]:
        features, labels, weights = _collections(cluster, data, early, pinned)
        reference = pinned.matrices[0] if early else None
        pinned.matrices.append(
            xgboost.dask.DaskQuantileDMatrix(
                cluster.client, features, labels, weight=weights, max_bin=BINS, ref=reference
            )
        )
    return pinned


def _collections(cluster: Cluster, data: FitData, early: bool, pinned: _Pinned) -> "list[Array]":
    """Return features, labels and weights as arrays of Dask, a chunk for each piece."""
    import dask.array

    assert isinstance(data.features, ScaledMatrix)
    matrix, chosen = data.features, data.subset_of(early)
    mean = float(data.weights[chosen].mean())
    spans = [(start, stop) for start, stop in bounds(*matrix.shape) if chosen[start:stop].any()]
    counts = [int(chosen[start:stop].sum()) for start, stop in spans]
    assigned = _assign(counts, early, data, pinned.workers)
    arguments = (
        str(matrix.path.parent.resolve()),
        matrix.path.name,
        matrix.scaling,
        early if data.stops_early else None,
    )
    pieces = [
        cluster.client.submit(load_piece, *arguments, *span, mean, workers=[worker], pure=False)
        for span, worker in zip(spans, assigned, strict=True)
    ]
    shapes: tuple[tuple[int, ...], ...] = ((matrix.shape[1],), (), ())
    return [
        dask.array.concatenate(
            [
                dask.array.from_delayed(_item(piece, index), (count, *shape), kind)
                for piece, count in zip(pieces, counts, strict=True)
            ]
        )
        for index, (shape, kind) in enumerate(zip(shapes, (np.float32, np.float32, np.float64), strict=True))
    ]


def _item(piece: "Future", index: int) -> Any:
    from dask import delayed

    return delayed(tuple.__getitem__)(piece, index)


def load_piece(
    folder: str, name: str, scaling: Scaling, early: bool | None, start: int, stop: int, mean: float
) -> Piece:
    """Read the rows of a piece on a worker: features, labels and weights, as ``FitData.pieces`` gives them."""
    _quiet()
    path, rows = Path(folder), slice(start, stop)
    labels, weights, near, aside = (
        np.load(path / f"{array}.npy", mmap_mode="r")[rows] for array in ("labels", "weights", "nearness", "early")
    )
    chosen = np.ones(len(labels), bool) if early is None else np.asarray(aside == early)
    features = ScaledMatrix(path / name, scaling, (0, 0))[rows][chosen]
    return features, np.asarray(labels[chosen]), np.asarray((weights * near)[chosen] / mean)


def _quiet() -> None:
    """Let XGBoost print nothing from this thread of a worker: its rank, and missing early-stopping rows."""
    import xgboost.core

    # The library has a callback for each thread; without one it prints to standard error.
    xgboost.core._LIB.XGBRegisterLogCallback(_IGNORE)
    logging.getLogger("[xgboost.dask]").setLevel(logging.ERROR)


_IGNORE = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(lambda message: None)


def _assign(counts: Sequence[int], early: bool, data: FitData, workers: list[str]) -> list[str]:
    """Assign pieces to workers: contiguous, in the order of ranks, so that all hold about as many rows.

    The rows set aside are on the first workers, which get less of the others for them.
    """
    holders = max(1, len(workers) // WORKERS_PER_EARLY)
    aside = int(data.early.sum()) / holders
    total = len(data.labels) / len(workers)
    rooms = np.full(holders, 1.0) if early else np.full(len(workers), total)
    if not early:
        # Each worker needs some rows to fit on.
        rooms[:holders] = np.maximum(total - aside, total / 10)
    edges = np.cumsum(rooms) / rooms.sum() * sum(counts)
    middles = np.cumsum(counts) - np.array(counts) / 2
    return [workers[min(index, len(rooms) - 1)] for index in np.searchsorted(edges, middles)]
