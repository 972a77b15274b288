"""Durations: ``90s``, ``10m``, ``1h`` or ``2d`` as text, int64 nanoseconds in the code."""

import re

from netops.errors import UsageError

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "ms": 1_000_000, "us": 1_000, "ns": 1}
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|m|s|ms|us|ns)")


def parse_duration(text: object) -> int:
    """Parse a duration.

    Parameters
    ----------
    text : str or number
        ``"90s"``, ``"1.5h"``; a bare number is seconds.

    Returns
    -------
    int
        Nanoseconds, more than zero.

    Raises
    ------
    UsageError
        If it is not a duration, or not above zero.
    """
    number, unit = str(text).strip(), "s"
    if match := _PATTERN.fullmatch(number):
        number, unit = match.groups()
    try:
        duration = round(float(number) * _UNITS[unit])
    except (ValueError, OverflowError):
        raise UsageError(f"'{text}' is not a valid duration; expected 90s, 10m, 1h or 2d") from None
    if duration <= 0:
        raise UsageError(f"duration '{text}' must be more than zero")
    return duration


def format_duration(nanoseconds: int) -> str:
    """Format a duration in the largest unit that divides it: ``90s``, ``1m``, ``371s``, ``2h``."""
    unit = next(name for name, size in _UNITS.items() if nanoseconds % size == 0)
    return f"{nanoseconds // _UNITS[unit]}{unit}"
