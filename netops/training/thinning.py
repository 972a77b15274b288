"""Subsampling of training rows: all rare positives, thinned healthy rows, with compensating weights."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # they import a compiler, which a fitting process does not need
    from netops.alerting.sequences import Incidents, Sequences

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def thin(
    rows: Rows, positive: npt.NDArray[np.bool_], room: int, seed: int, hard: npt.NDArray[np.bool_] | None = None
) -> tuple[Rows, Floats]:
    """Thin training rows to what there is room for.

    Parameters
    ----------
    rows : int64 array, n
        The candidates, rising.
    positive : bool array, n
        Which have label 1: all are selected, up to half of the limit.
    room : int
        Rows to keep at most.
    seed : int
        The same seed keeps the same rows.
    hard : bool array, n, optional
        Which healthy rows a model scored as failing: all are selected, up to a quarter of
        the room.

    Returns
    -------
    int64 array, float64 array
        The selected rows, ascending, and the number of candidates of its class that each represents.
    """
    generator = np.random.default_rng(seed)
    hard = np.zeros(len(rows), bool) if hard is None else hard & ~positive
    yes, known, no = rows[positive], rows[hard], rows[~positive & ~hard]
    sure = min(len(known), room // 4)
    few = min(len(yes), max(room // 2, room - sure - len(no)))
    wholes = (yes, no, known)
    selected = [_draw(generator, yes, few), _draw(generator, no, room - few - sure), _draw(generator, known, sure)]
    weights = [
        np.full(len(part), len(whole) / max(1, len(part))) for part, whole in zip(selected, wholes, strict=True)
    ]
    chosen, weight = np.concatenate(selected), np.concatenate(weights)
    order = np.argsort(chosen)
    return chosen[order], weight[order]


def _draw(generator: np.random.Generator, rows: Rows, most: int) -> Rows:
    return rows if len(rows) <= most else generator.choice(rows, most, replace=False)


def set_aside(
    sequences: "Sequences",
    incidents: "Incidents",
    rows: Rows,
    positive: npt.NDArray[np.bool_],
    share: float,
    seed: int,
) -> npt.NDArray[np.bool_]:
    """Mark the rows for early stopping: complete periods between incidents, never a fraction of one.

    Rows that lead up to the same incident resemble each other; split between fit and early stopping they would
    favour a model that has memorized them.

    Returns
    -------
    bool array, rows
        None is marked if fewer than three periods contain positives.
    """
    period = _periods(sequences, incidents, rows)
    holding = np.unique(period[positive])
    if share <= 0 or len(holding) < 3:
        return np.zeros(len(rows), bool)
    generator = np.random.default_rng(seed)
    empty = np.setdiff1d(np.unique(period), holding)
    # At least one each: a period with positives, and enough healthy rows.
    taken = [generator.permutation(part)[: max(1, round(share * len(part)))] for part in (holding, empty)]
    aside = np.isin(period, np.concatenate(taken))
    return aside if (aside & ~positive).any() and (~aside & ~positive).any() else np.zeros(len(rows), bool)


def _periods(sequences: "Sequences", incidents: "Incidents", rows: Rows) -> Rows:
    """Assign a number to each period: those before, between and after the incidents of a device."""
    device = np.searchsorted(sequences.offsets, rows, side="right") - 1
    period = np.empty(len(rows), np.int64)
    for index in np.unique(device):
        mine = slice(*np.searchsorted(device, (index, index + 1)))
        first, last = incidents.offsets[index : index + 2]
        before = np.searchsorted(incidents.start[first:last], sequences.timestamps[rows[mine]], side="right")
        period[mine] = first + index + before
    return period
