"""Detect a log in another time zone: telemetry is disturbed whole hours before or after the incidents."""

import numpy as np
import numpy.typing as npt

from netops.config.durations import HOUR

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_HOURS = np.arange(-14, 15)
_ZERO = int(np.flatnonzero(_HOURS == 0)[0])
_MIN_INCIDENTS = 8
# Minimum difference in standard errors between a shifted and the logged hour; 28 shifts are tried.
_SIGNIFICANT = 5.0
_MAX_DEVICES, _MAX_METRICS = 200, 50


class ShiftScan:
    """Compare how disturbed devices are during incidents with whole hours before and after."""

    def __init__(self) -> None:
        self._scores: list[Float64] = []
        self._devices = 0

    def add(self, timestamps: Int64, metrics: Float64, starts: Int64, ends: Int64) -> None:
        """Add one device.

        Parameters
        ----------
        timestamps : int64 array, n
            Ascending.
        metrics : float64 array, n × metrics
            NaN where unknown.
        starts, ends : int64 arrays
            Its incidents.
        """
        if not len(starts) or self._devices == _MAX_DEVICES or not metrics.shape[1]:
            return
        self._devices += 1
        disturbance = np.append(0.0, np.cumsum(_disturbance(metrics[:, :_MAX_METRICS])))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            first = np.searchsorted(timestamps, start + _HOURS * HOUR)
            last = np.searchsorted(timestamps, end + _HOURS * HOUR)
            count = last - first
            with np.errstate(invalid="ignore", divide="ignore"):
                self._scores.append(np.where(count > 0, (disturbance[last] - disturbance[first]) / count, np.nan))

    def hours(self) -> tuple[int, int] | None:
        """Return the offset of the log in hours and the number of incidents that show it, or None."""
        if len(self._scores) < _MIN_INCIDENTS:
            return None
        scores = np.array(self._scores)
        gains = scores - scores[:, [_ZERO]]
        known = (~np.isnan(gains)).sum(axis=0)
        columns = np.flatnonzero(known >= max(_MIN_INCIDENTS, 0.5 * len(scores)))
        columns = columns[columns != _ZERO]
        if not len(columns):
            return None
        gain = np.nanmean(gains[:, columns], axis=0)
        error = np.nanstd(gains[:, columns], axis=0, ddof=1) / np.sqrt(known[columns])
        best = int(np.argmax(gain))
        if gain[best] <= 0 or gain[best] < _SIGNIFICANT * error[best]:
            return None
        return int(_HOURS[columns[best]]), int(known[columns[best]])


def _disturbance(metrics: Float64) -> Float64:
    """Return the mean deviation of the metrics of each sample from their median, in robust deviations."""
    with np.errstate(all="ignore"):
        usual = np.nanmedian(metrics, axis=0)
        spread = 1.4826 * np.nanmedian(np.abs(metrics - usual), axis=0)
        scaled = np.abs(metrics - usual) / np.where(spread > 0, spread, np.inf)
    return np.nan_to_num(np.minimum(scaled, 10.0)).mean(axis=1)
