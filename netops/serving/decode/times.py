"""Parse timestamps to int64 nanoseconds since the epoch."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

#: ISO 8601 (default UTC), or a number: seconds, ms, µs or ns since the epoch, detected by magnitude.
Stamp: TypeAlias = int | float | str

#: Latest accepted time, in 2116. The engine adds windows to times, so int64 needs headroom.
LATEST = (1 << 62) - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FINE = re.compile(r"(.+\.\d{6})(\d{1,3})\d*(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_SCALES = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))


def nanoseconds(stamp: Stamp) -> int:
    """Parse a timestamp.

    Raises
    ------
    ValueError
        If it is not a valid time within 1970..2116.
    """
    found = _from_text(stamp) if isinstance(stamp, str) else _from_number(stamp)
    if not 0 <= found <= LATEST:
        raise ValueError(f"timestamp: {str(stamp)[:40]!r} is not within 1970..2116")
    return found


def all_nanoseconds(stamps: Sequence[Stamp | None]) -> npt.NDArray[np.int64] | None:
    """Parse many integer timestamps at once; None if any is not a valid integer, or there are few."""
    if len(stamps) < 8 or not all(type(stamp) is int for stamp in stamps):
        return None
    try:
        numbers = np.array(stamps, dtype=np.int64)
    except OverflowError:
        return None
    if numbers.min(initial=0) < 0 or numbers.max(initial=0) > LATEST:
        return None
    scale = np.ones(len(numbers), dtype=np.int64)
    for limit, factor in reversed(_SCALES):
        scale[numbers < limit] = factor
    return numbers * scale


def _from_number(number: int | float) -> int:
    for limit, factor in _SCALES:
        if abs(number) < limit:
            # A float has a resolution of about 0.25 µs for current times: smaller digits are noise.
            return number * factor if isinstance(number, int) else round(number * factor / 1000) * 1000
    if number != number or abs(number) > LATEST:
        raise ValueError(f"timestamp: {number!r} is not within 1970..2116")
    return int(number)


def _from_text(text: str) -> int:
    rest = 0
    if fine := _FINE.fullmatch(text):
        text, rest = fine[1] + (fine[3] or ""), int(fine[2].ljust(3, "0"))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"timestamp: {text[:40]!r} is not an ISO 8601 time") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND * 1000 + rest


def iso(nanoseconds: int) -> str:
    """Format a time as ISO 8601, UTC, with as many decimals as needed."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"
