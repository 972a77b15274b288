"""Numbers, times and durations as a report writes them."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeGuard

from netops.alerting.resampling import Interval
from netops.config.durations import SECOND

UNKNOWN = "–"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def known(value: float | None) -> TypeGuard[float]:
    """Return whether there is a number."""
    return value is not None and math.isfinite(value)


def number(value: float | None, digits: int = 3) -> str:
    """Format a number with ``digits`` significant digits; a dash for NaN."""
    if not known(value):
        return UNKNOWN
    if float(value).is_integer() and (isinstance(value, int) or value == 0 or abs(value) >= 10**digits):
        return f"{int(value):,}".replace("-", "−")
    if abs(value) < 1e-3 or abs(value) >= 1e9:
        return f"{value:.{digits}g}".replace("-", "−")
    return f"{value:,.{max(0, digits - _magnitude(value))}f}".replace("-", "−")


def significant(value: float | None) -> str:
    """Format a number with three significant digits; a dash for NaN."""
    return f"{value:.3g}" if known(value) and 0 < abs(value) < 0.1 else number(value)


def closely(risk: float | None) -> str:
    """Format a threshold: four digits of its distance to 1 if that is small, so that 0.99997 is not shown as 1."""
    if not known(risk):
        return UNKNOWN
    left = 1 - float(risk)
    return f"{risk:.{3 - math.floor(math.log10(left))}f}" if 1e-9 < left < 0.01 else f"{risk:.4g}"


def _magnitude(value: float) -> int:
    return max(0, math.floor(math.log10(abs(value))) + 1) if value else 0


def percent(value: float | None) -> str:
    """Format a fraction as percentage; a dash for NaN, and 100% or 0% only if exact."""
    if not known(value):
        return UNKNOWN
    if 0 < value < 0.001:
        return "<0.1%"
    if 0.999 < value < 1:
        return ">99.9%"
    return f"{100 * value:.1f}".removesuffix(".0") + "%"


def lasting(seconds: float | None) -> str:
    """Write a duration in its two largest units: ``5 min 48 s``."""
    if not known(seconds):
        return UNKNOWN
    left, words = round(abs(seconds)), []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {unit}")
    return ("−" if seconds < 0 else "") + (" ".join(words[:2]) or ("0 s" if seconds == 0 else f"{seconds:.2g} s"))


def moment(nanoseconds: int, clock: bool = True) -> str:
    """Write a time, or its day alone, in UTC."""
    when = datetime.fromtimestamp(nanoseconds // SECOND, UTC)
    return f"{when:%Y-%m-%d %H:%M:%S}" if clock else f"{when:%Y-%m-%d}"


def is_informative(interval: Interval | None) -> bool:
    """Return whether an interval is informative: one without width comes from too few cases, not from certainty."""
    return interval is not None and known(interval.low) and known(interval.high) and interval.low < interval.high


def compact(value: float) -> str:
    """Write a number in little room: ``14.4M``, ``788k``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size and abs(value) < 1e12:
            return number(value / min(size, 1e3 if unit == "k" else size)) + unit
    return number(value)


def shortened(name: str, most: int) -> str:
    """Cut out the middle of a long name."""
    return name if len(name) <= most else f"{name[: (most - 1) // 2]}…{name[-(most // 2) :]}"


def spread(interval: Interval | None, write: Callable[[float], str] = number) -> str:
    """Format an interval; empty if resampling failed or all resamples are equal."""
    if not is_informative(interval):
        return ""
    assert interval is not None
    return f"{write(interval.low)} to {write(interval.high)}"


def counted(count: int, one: str, many: str = "") -> str:
    """Write ``1 incident``, ``3 incidents``, ``no incident``."""
    return f"{f'{count:,}' if count else 'no'} {one if count in (0, 1) else many or one + 's'}"


def listed(words: list[str] | tuple[str, ...]) -> str:
    """Write ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


_BASELINES = {
    "static_threshold": "static thresholds",
    "clock_only": "clock only",
    "deviations": "deviations (no labels)",
}


def titled(name: str) -> str:
    """Write the name of a family, metric or scenario for people: ``static thresholds``, ``packet loss``."""
    return _BASELINES.get(name, name.replace("_", " "))
