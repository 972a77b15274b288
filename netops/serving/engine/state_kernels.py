"""Compiled loops over the samples of a request: for one sample, each call of numpy costs more than the work."""

import numpy as np
import numpy.typing as npt

from netops.kernels import kernel

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@kernel
def observe(
    newest: Integers,
    arrival: Integers,
    counts: Integers,
    silent: Flags,
    codes: Integers,
    times: Integers,
    first: int,
) -> tuple[int, bool]:
    """Note samples in order of arrival, of which ``first`` have arrived before; arrays are by code.

    Returns
    -------
    int, bool
        The highest code, and whether a device is stale.
    """
    highest, any_silent = -1, False
    for row in range(len(codes)):
        code = codes[row]
        newest[code] = max(newest[code], times[row])
        arrival[code] = first + row
        counts[code] += 1
        any_silent |= silent[code]
        highest = max(highest, code)
    return highest, any_silent


@kernel
def lower(changed: Integers, codes: Integers, times: Integers) -> None:
    """Lower the times since which devices have changed to before these samples."""
    for row in range(len(codes)):
        changed[codes[row]] = min(changed[codes[row]], times[row] - 1)


@kernel
def is_out_of_time(newest: Integers, codes: Integers, times: Integers, limit: int, far: int) -> bool:
    """Return whether a sample or its device is after ``limit``, or more than ``far`` after those of its device."""
    for row in range(len(codes)):
        before = newest[codes[row]]
        if max(times[row], before) > limit or (before >= 0 and times[row] > before + far):
            return True
    return False


@kernel
def store_newest(
    risk: Floats, values: Floats, newest: Integers, codes: Integers, times: Integers, risks: Floats, sent: Floats
) -> None:
    """Store risk and values of the samples that are not older than the newest of their device."""
    for row in range(len(codes)):
        code = codes[row]
        if times[row] >= newest[code]:
            risk[code] = risks[row]
            values[code, :] = sent[row, :]
