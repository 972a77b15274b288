"""Times as numbers since the epoch: their unit, and their text."""

import numpy as np
import numpy.typing as npt

# Seconds reach 1e11 in the year 5138; so do milliseconds 1e14 and microseconds 1e17.
_UNITS = ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1_000), (np.inf, 1))


def epoch_unit(values: npt.ArrayLike) -> int:
    """Determine the unit of numbers since the epoch from the magnitude of their median.

    Parameters
    ----------
    values : float array
        Numbers since the epoch, all in the same unit.

    Returns
    -------
    int
        Nanoseconds in one unit: s below 1e11, ms below 1e14, us below 1e17, else ns.
    """
    magnitude = float(np.median(np.abs(np.asarray(values, np.float64))))
    return next(unit for limit, unit in _UNITS if magnitude < limit)


def iso(nanoseconds: int) -> str:
    """Format a time since the epoch, to the second: ``2026-01-05T00:00:00Z``."""
    return str(np.datetime_as_string(np.datetime64(nanoseconds, "ns"), unit="s")) + "Z"
