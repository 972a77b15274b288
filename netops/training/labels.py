"""Labels: whether an incident of the device starts within the horizon."""

import numpy as np
import numpy.typing as npt

from netops.alerting.sequences import Flags, Incidents, Integers, Sequences
from netops.config.durations import format_duration
from netops.errors import FewLabelsError, NetopsError, UsageError
from netops.kernels import kernel

NO_LABEL = -1


def label_name(horizon: int) -> str:
    """Name the label: ``fails_within_10m``."""
    return f"fails_within_{format_duration(horizon)}"


def label_rows(offsets: Integers, timestamps: Integers, is_error: Flags, horizon: int) -> npt.NDArray[np.int8]:
    """Label every sample.

    Parameters
    ----------
    offsets : int64 array, devices + 1
        Device i owns the rows offsets[i]:offsets[i + 1].
    timestamps : int64 array, rows
        Rising within a device.
    is_error : bool array, rows
        Inside an incident.
    horizon : int
        Nanoseconds.

    Returns
    -------
    int8 array, rows
        1: healthy at t, and an incident starts in (t, t + horizon]; 0: healthy, and none does; -1 (no label):
        inside an incident, or the next horizon is not observed, because the data end or a gap longer than the
        horizon opens.
    """
    return _label(offsets, timestamps, np.asarray(is_error, dtype=np.bool_), horizon)


@kernel
def _label(offsets, timestamps, is_error, horizon):  # type: ignore[no-untyped-def]
    labels = np.full(len(timestamps), NO_LABEL, dtype=np.int8)
    for device in range(len(offsets) - 1):
        failure, observed_until = -1, -1  # rows: the next that failed, the last before a gap
        for row in range(offsets[device + 1] - 1, offsets[device] - 1, -1):
            following = row + 1
            if following == offsets[device + 1] or timestamps[following] - timestamps[row] > horizon:
                observed_until, failure = row, -1
            if is_error[row]:
                failure = row
            elif failure >= 0 and timestamps[failure] - timestamps[row] <= horizon:
                labels[row] = 1
            elif timestamps[observed_until] - timestamps[row] >= horizon:
                labels[row] = 0
    return labels


def label_starts(
    sequences: Sequences, labels: npt.NDArray[np.int8], incidents: Incidents, horizon: int
) -> npt.NDArray[np.int8]:
    """Add incidents of a log without samples: a device that is down may send no data.

    Returns
    -------
    int8 array, rows
        As ``labels``, and 1 within the horizon before every start.
    """
    inside, labels = incidents.inside(sequences), labels.copy()
    _label_starts(
        sequences.offsets, sequences.timestamps, inside, incidents.offsets, incidents.start, horizon, labels
    )
    return labels


@kernel
def _label_starts(offsets, timestamps, inside, incident_offsets, start, horizon, labels):  # type: ignore[no-untyped-def]
    for device in range(len(offsets) - 1):
        times = timestamps[offsets[device] : offsets[device + 1]]
        for incident in range(incident_offsets[device], incident_offsets[device + 1]):
            first = offsets[device] + np.searchsorted(times, start[incident] - horizon)
            last = offsets[device] + np.searchsorted(times, start[incident])
            for row in range(first, last):
                if not inside[row]:
                    labels[row] = 1


def require_labels(sequences: Sequences, labels: npt.NDArray[np.int8], horizon: int) -> None:
    """Raise an error for data without training signal.

    Raises
    ------
    UsageError
        If the horizon is longer than the history of every device.
    FewLabelsError
        If no incident can be predicted.
    NetopsError
        If there is nothing else.
    """
    require_history(sequences, horizon)
    if not (labels == 1).any():
        # Telemetry without a healthy sample has nothing to learn from, with labels or without.
        raise (FewLabelsError if (labels == 0).any() else NetopsError)(
            f"one class only: no sample has {label_name(horizon)} = 1, because no incident starts within "
            f"{format_duration(horizon)} of a healthy sample; give incidents by --incidents or an is_error column"
        )
    if not (labels == 0).any():
        raise NetopsError(
            f"one class only: every sample with a label has {label_name(horizon)} = 1; give a shorter --horizon or "
            "more healthy telemetry"
        )


def require_history(sequences: Sequences, horizon: int) -> None:
    """Raise an error for telemetry that is too short.

    Raises
    ------
    UsageError
        If the horizon is longer than the history of every device.
    NetopsError
        If there are no samples.
    """
    if len(sequences) == 0:
        raise NetopsError("the telemetry contains no samples")
    longest = _longest_history(sequences)
    if longest <= horizon:
        history, most = format_duration(_rounded(longest)), format_duration(_rounded(longest // 5))
        raise UsageError(
            f"horizon {format_duration(horizon)} is longer than the history: the longest of a device is {history}; "
            f"give a --horizon of at most {most}"
        )


def _longest_history(sequences: Sequences) -> int:
    some = np.diff(sequences.offsets) > 0
    first, last = sequences.offsets[:-1][some], sequences.offsets[1:][some] - 1
    return int((sequences.timestamps[last] - sequences.timestamps[first]).max())


def _rounded(nanoseconds: int) -> int:
    second = 1_000_000_000
    return max(second, nanoseconds // second * second)
