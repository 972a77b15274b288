"""The usual statistics: those that the windows hold, and their difference."""

from netops.kernels import inlined


@inlined
def average(n: float, mean: float, std: float, low: float, high: float) -> float:
    """Return the mean."""
    return mean


@inlined
def lowest(n: float, mean: float, std: float, low: float, high: float) -> float:
    """Return the minimum."""
    return low


@inlined
def highest(n: float, mean: float, std: float, low: float, high: float) -> float:
    """Return the maximum."""
    return high


@inlined
def deviation(n: float, mean: float, std: float, low: float, high: float) -> float:
    """Return the standard deviation (ddof 1; 0 for a single value)."""
    return std


@inlined
def number(n: float, mean: float, std: float, low: float, high: float) -> float:
    """Return the number of valid values."""
    return n


@inlined
def width(n: float, mean: float, std: float, low: float, high: float) -> float:
    """Return the range: maximum - minimum."""
    return high - low
