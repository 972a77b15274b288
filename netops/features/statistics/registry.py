"""The statistics of a window that are computed from its aggregates.

This module imports none of them, because specs are read without numba.
"""

from typing import NamedTuple


class Statistic(NamedTuple):
    """A statistic.

    Attributes
    ----------
    function : str
        ``module:name`` of a compiled function ``(n, mean, std, low, high)``: number, mean, standard deviation,
        minimum and maximum of the valid values in the window, of which there is at least one.
    empty : float
        Its value in a window without a valid value.
    """

    function: str
    empty: float = float("nan")


#: Name → statistic, in the order of their codes.
WINDOW_STATISTICS = {
    "mean": Statistic("netops.features.statistics.usual:average"),
    "min": Statistic("netops.features.statistics.usual:lowest"),
    "max": Statistic("netops.features.statistics.usual:highest"),
    "std": Statistic("netops.features.statistics.usual:deviation"),
    "count": Statistic("netops.features.statistics.usual:number", empty=0.0),
    "range": Statistic("netops.features.statistics.usual:width"),
}
