"""Checks of the ground truth: late labels, incidents by the clock, metrics that know too much."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.durations import DAY, HOUR, format_duration
from netops.telemetry.dataset import Rows
from netops.telemetry.incidents import incidents_of

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

_ENOUGH_INCIDENTS = 8
# A silence this improbable, were incidents to go on as before, hints at a log that is late.
_IMPROBABLE = 0.01
# Of 1: how far starts may spread around one time of day, and how far steps between them may differ.
_CONCENTRATED, _EVEN = 0.9, 0.1


def late_labels(starts: Int64, last: int) -> str | None:
    """Tell whether incidents end long before the telemetry does.

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
        return f"no incident in the last {_roughly(silence)}, where one starts every {_roughly(int(usual))} before"
    return None


def periodic_labels(starts: Int64, devices: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Find incidents that follow the clock, as planned work does and failures do not.

    Parameters
    ----------
    starts : int64 array
    devices : sequence of str
        The device of each.

    Yields
    ------
    tuple of str
        Subject and message.
    """
    for period, what in ((DAY, "time of day"), (HOUR, "minute of the hour")):
        if len(starts) >= _ENOUGH_INCIDENTS and int(np.ptp(starts)) > 5 * period:
            angles = 2 * np.pi * (starts % period) / period
            if abs(np.exp(1j * angles).mean()) > _CONCENTRATED:
                yield "incidents", f"nearly all {len(starts)} start at the same {what}"
    names = np.array(devices, object)
    for device in sorted(set(devices)):
        steps = np.diff(np.sort(starts[names == device]))
        if len(steps) >= _ENOUGH_INCIDENTS - 1 and steps.std() < _EVEN * steps.mean():
            yield device, f"an incident starts every {_roughly(int(steps.mean()))}"


def near_rows(rows: Rows, is_error: Bool, horizon: int, limit: int) -> tuple[Int64, Bool]:
    """Choose healthy rows and tell before which of them an incident starts within the horizon.

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
        place = np.searchsorted(begins, times, side="right")
        ahead = place < len(begins)
        positive[start:end][ahead] = begins[place[ahead]] - times[ahead] <= horizon
    chosen = [
        _thin(np.flatnonzero(~is_error & positive), limit),
        _thin(np.flatnonzero(~is_error & ~positive), limit),
    ]
    taken = np.sort(np.concatenate(chosen))
    return taken, positive[taken]


def _thin(rows: Int64, limit: int) -> Int64:
    return rows[:: max(1, -(-len(rows) // limit))]


def too_good(values: Float64, positive: Bool) -> float:
    """Give the ROC AUC of one metric alone, in the better direction; 0.5 where it is hardly known."""
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
    """Take the starts out of a table of incidents."""
    starts: Int64 = incidents.column("start").cast(pa.int64()).to_numpy()
    return starts


def _roughly(nanoseconds: int) -> str:
    for unit in (DAY, HOUR, HOUR // 60):
        if nanoseconds >= 3 * unit:
            return format_duration(round(nanoseconds / unit) * unit)
    return format_duration(max(1, round(nanoseconds / 10**9)) * 10**9)
