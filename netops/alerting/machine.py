"""The compiled state machine that opens and closes alerts; evaluation, backtest and server use it."""

import numpy as np

from netops.kernels import kernel

NOTHING, OPENED, CLOSED, EXPIRED, RENEWED = range(5)

#: The state of a device; all zeros for a device without samples.
STATE = np.dtype(
    [
        ("seen", np.int64),  # 0 before the first sample
        ("last", np.int64),  # time of the newest sample
        ("streak", np.int64),  # samples in a row at or above the threshold
        ("is_open", np.int64),
        ("opened", np.int64),
        ("cooling", np.int64),  # 1 while the risk is below the close level
        ("below_since", np.int64),
        ("peak_at", np.int64),
        ("peak", np.float64),
    ],
    align=True,
)


@kernel(inline="always")
def step(state, time, risk, failed, threshold, close_level, for_samples, cooldown, expire):  # type: ignore[no-untyped-def]
    """Process one sample of one device.

    Parameters
    ----------
    state : record of ``STATE``
        Changed in place.
    time : int64
        Event time in nanoseconds. A sample that is not newer than the last one is ignored.
    risk : float64
        NaN if the sample was not scored: it neither opens nor closes, and does not reset the streak.
    failed : bool
        Whether the device is inside an incident: an open alert closes, and none opens.
    threshold, close_level, for_samples, cooldown, expire
        The policy.

    Returns
    -------
    int
        ``NOTHING``; ``OPENED``; ``CLOSED`` (cooled down, or the device failed); ``EXPIRED``; or ``RENEWED``: the
        alert expired and the next one opened at the same sample. Opening and peak of an alert that ended are in
        the state before the step.
    """
    if state.seen and time <= state.last:
        return NOTHING
    state.seen = True
    state.last = time
    if failed:
        return _fail(state)
    if np.isnan(risk):
        return NOTHING
    if risk >= threshold:
        state.streak += 1
    else:
        state.streak = 0
    if state.is_open == 1:
        return _hold(state, time, risk, close_level, for_samples, cooldown, expire)
    # A peak below the threshold belongs to no alert: the first sample at the threshold replaces it.
    if state.streak == 1 or risk > state.peak:
        state.peak, state.peak_at = risk, time
    return _open(state, time, for_samples)


@kernel(inline="always")
def _fail(state):  # type: ignore[no-untyped-def]
    was_open = state.is_open
    state.streak, state.is_open = 0, 0
    return CLOSED if was_open == 1 else NOTHING


@kernel(inline="always")
def _hold(state, time, risk, close_level, for_samples, cooldown, expire):  # type: ignore[no-untyped-def]
    if _cool(state, time, risk, close_level, cooldown) == CLOSED:
        return CLOSED
    if time - state.opened >= expire:
        # Earlier risks belong to the alert that ended.
        state.is_open, state.peak, state.peak_at = 0, risk, time
        return RENEWED if _open(state, time, for_samples) == OPENED else EXPIRED
    if risk > state.peak:
        state.peak, state.peak_at = risk, time
    return NOTHING


@kernel(inline="always")
def _open(state, time, for_samples):  # type: ignore[no-untyped-def]
    if state.streak < for_samples:
        return NOTHING
    state.is_open, state.opened, state.cooling = 1, time, 0
    return OPENED


@kernel(inline="always")
def _cool(state, time, risk, close_level, cooldown):  # type: ignore[no-untyped-def]
    if risk >= close_level:
        state.cooling = 0
        return NOTHING
    if state.cooling == 0:
        state.cooling, state.below_since = 1, time
    if time - state.below_since < cooldown:
        return NOTHING
    state.is_open = 0
    return CLOSED
