"""Nearness: how much more a sample shortly before its failure weighs in a fit than one at the start of the horizon.

At the start of the horizon, most devices that will fail still look healthy. Weighed like the others, these samples
teach a model that healthy ones fail.
"""

import numpy as np
import numpy.typing as npt

from netops.alerting.sequences import Incidents, Integers, Sequences

#: Weight at the start of the horizon, and how much more there is at the failure.
LEAST, GAIN = 0.1, 2.0

Floats = npt.NDArray[np.float64]


def nearness(
    sequences: Sequences, incidents: Incidents, rows: Integers, positive: npt.NDArray[np.bool_], horizon: int
) -> Floats:
    """Weigh samples by how near their failure is.

    Parameters
    ----------
    sequences : Sequences
    incidents : Incidents
        Of the same devices.
    rows : int64 array, n
        Samples, rising.
    positive : bool array, n
        Which of them have label 1.
    horizon : int
        Nanoseconds.

    Returns
    -------
    float64 array, n
        0.1 + 2 × (1 − time to the failure by the horizon), divided by its mean over the positive samples, so that
        the base rate stays; 1 for other samples. A positive one without an incident ahead, of an alert that was
        confirmed, counts as an average one.
    """
    weights = np.ones(len(rows))
    chosen = np.flatnonzero(positive)
    ahead = _time_to_failure(sequences, incidents, rows[chosen])
    known = (ahead > 0) & (ahead <= horizon)
    if known.any():
        near = LEAST + GAIN * (1 - ahead[known] / horizon)
        weights[chosen[known]] = near / near.mean()
    return weights


def _time_to_failure(sequences: Sequences, incidents: Incidents, rows: Integers) -> Integers:
    """Return the nanoseconds until the next incident of a sample's device starts; 0 where none does."""
    ahead = np.zeros(len(rows), np.int64)
    device = sequences.device_of_row[rows]
    for index in np.unique(device):
        starts = incidents.start[slice(*incidents.offsets[index : index + 2])]
        mine = np.flatnonzero(device == index)
        times = sequences.timestamps[rows[mine]]
        following = np.searchsorted(starts, times, side="right")
        some = following < len(starts)
        ahead[mine[some]] = starts[following[some]] - times[some]
    return ahead
