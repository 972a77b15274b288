"""Logs of state changes: one row when a device goes down, one when it is up again."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

_DOWN = frozenset(
    [
        "down",
        "problem",
        "fail",
        "failed",
        "failure",
        "critical",
        "alarm",
        "firing",
        "open",
        "opened",
        "raise",
        "raised",
        "set",
        "start",
        "started",
        "begin",
        "triggered",
        "outage",
        "unreachable",
        "offline",
        "error",
        "fault",
    ]
)
_UP = frozenset(
    [
        "up",
        "ok",
        "resolved",
        "recovery",
        "recovered",
        "clear",
        "cleared",
        "close",
        "closed",
        "end",
        "ended",
        "stop",
        "stopped",
        "restored",
        "online",
        "reachable",
        "normal",
    ]
)
# Tickets also have a state, but one row each; in a log of changes, up follows down.
_PAIRED = 0.8


def state_column(columns: Mapping[str, Sequence[str]], names: Iterable[str]) -> str | None:
    """Find a column that contains only up and down."""
    for name in names:
        values = {value.casefold() for value in columns[name]}
        if values <= _DOWN | _UP and values & _DOWN and values & _UP:
            return name
    return None


def pair(
    devices: Sequence[str], times: Int64, states: Sequence[str], open_end: int
) -> tuple[list[int], Int64] | None:
    """Convert each period in which a device is down into an incident.

    Parameters
    ----------
    devices : sequence of str, n
    times : int64 array, n
    states : sequence of str, n
    open_end : int
        The end of an ongoing incident.

    Returns
    -------
    rows, ends
        The rows in which an incident begins, in the order of the log, and the ends. None if the rows are not
        such pairs.
    """
    began: dict[str, int] = {}
    ends: dict[int, int] = {}
    closed = 0
    for row in np.argsort(times, kind="stable").tolist():
        device, is_down = devices[row], states[row].casefold() in _DOWN
        if is_down and device not in began:
            began[device] = row
            ends[row] = open_end
        elif not is_down and device in began:
            ends[began.pop(device)] = int(times[row])
            closed += 1
    ups = sum(state.casefold() in _UP for state in states)
    if closed == 0 or closed < _PAIRED * ups:
        return None
    rows = sorted(ends)
    return rows, np.array([ends[row] for row in rows], np.int64)
