"""Checks of the ground truth: late labels, metrics that leak the label."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.telemetry.checks.clock_incidents import roughly
from netops.telemetry.dataset import Rows
from netops.telemetry.incidents import incidents_of

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

_ENOUGH_INCIDENTS = 8
# A period without incidents that is less probable than this suggests that the log is not up to date.
_IMPROBABLE = 0.01


def late_labels(starts: Int64, last: int) -> str | None:
    """Check whether incidents end long before the telemetry does.

    Parameters
    ----------
    starts : int64 array
        Starts of all incidents.
    last : int
        Time of the last sample.
    """
    if len(starts) < _ENOUGH_INCIDENTS:
        return None
    ordered = np.sort(starts)
    usual = (ordered[-1] - ordered[0]) / (len(ordered) - 1)
    silence = last - int(ordered[-1])
    if usual > 0 and np.exp(-silence / usual) < _IMPROBABLE:
        return f"no incident in the last {roughly(silence)}, where one starts every {roughly(int(usual))} before"
    return None


def near_rows(rows: Rows, is_error: Bool, horizon: int, limit: int) -> tuple[Int64, Bool]:
    """Choose healthy rows, and determine which of them precede an incident within the horizon.

    Returns
    -------
    rows : int64 array
        At most about ``2 * limit``: those before incidents and others, evenly spaced.
    positive : bool array
    """
    positive = np.zeros(len(is_error), bool)
    for start, end in zip(rows.offsets[:-1], rows.offsets[1:], strict=True):
        times = rows.timestamps[start:end]
        begins = incidents_of(times, is_error[start:end])[0]
        index = np.searchsorted(begins, times, side="right")
        ahead = index < len(begins)
        positive[start:end][ahead] = begins[index[ahead]] - times[ahead] <= horizon
    chosen = [
        _thin(np.flatnonzero(~is_error & positive), limit),
        _thin(np.flatnonzero(~is_error & ~positive), limit),
    ]
    taken = np.sort(np.concatenate(chosen))
    return taken, positive[taken]


def _thin(rows: Int64, limit: int) -> Int64:
    return rows[:: max(1, -(-len(rows) // limit))]


def too_good(values: Float64, positive: Bool) -> float:
    """Return the ROC AUC of one metric alone, in the better direction; 0.5 if it has hardly any values."""
    known = ~np.isnan(values)
    values, positive = values[known], positive[known]
    ones = int(positive.sum())
    if ones < 20 or len(positive) - ones < 20:
        return 0.5
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    area = (ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * (len(positive) - ones))
    return float(max(area, 1 - area))


def starts_of(incidents: pa.Table) -> Int64:
    """Return the starts of a table of incidents."""
    starts: Int64 = incidents.column("start").cast(pa.int64()).to_numpy()
    return starts
