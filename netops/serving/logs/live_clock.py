"""Read the times of arriving messages: as those of files, but a year that is missing is the current one."""

import re
from collections.abc import Sequence
from time import time_ns

from netops.logs.clock import NAMED_ZONE, LogClock, Period

#: Times without fractions of a second that are stored, and how long (ns): a year that is missing may change.
_STORED, _LIFETIME = 20_000, 3_600 * 10**9
_PARTS = re.compile(r"(.*?\d\d:\d\d:\d\d)[.,](\d{1,9})\d*(.*)$")
_NO_ZONE = "its time has the zone '{}', which is ambiguous: set logs.timezone"


class LiveClock:
    """Read times. Many messages have the same second, so seconds are stored.

    Parameters
    ----------
    timezone : str
        Zone of times without one; empty is UTC.
    """

    def __init__(self, timezone: str = "") -> None:
        self._zone = timezone
        self._known: dict[str, int | str] = {}
        self._since = 0

    def read(self, texts: Sequence[str]) -> list[int | str]:
        """Return the time of each text in nanoseconds since the epoch, or why it cannot be read."""
        parts = [_split(text) for text in texts]
        self._learn([whole for whole, _ in parts])
        known = self._known
        return [found if isinstance(found := known[whole], str) else found + fraction for whole, fraction in parts]

    def _learn(self, texts: Sequence[str]) -> None:
        now = time_ns()
        if len(self._known) + len(texts) > _STORED or now - self._since > _LIFETIME:
            self._known.clear()
            self._since = now
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if not self._zone:
            named = [text for text in missing if NAMED_ZONE in text]
            self._known |= {text: _NO_ZONE.format(text.partition(NAMED_ZONE)[2]) for text in named}
            missing = [text for text in missing if NAMED_ZONE not in text]
        if missing:
            times, good = LogClock("", self._zone, None, Period(now, now, "now"))(missing)
            for text, time, is_time in zip(missing, times.tolist(), good.tolist(), strict=True):
                self._known[text] = time if is_time else f"its time cannot be read: {text[:40]!r}"


def _split(text: str) -> tuple[str, int]:
    """Split a time into a text without, and nanoseconds of, the fraction of a second.

    >>> _split("2026-11-28T03:17:18.25Z")
    ('2026-11-28T03:17:18Z', 250000000)
    """
    match = _PARTS.match(text)
    if match is None:
        return text, 0
    before, digits, after = match.groups()
    return before + after, int(digits.ljust(9, "0"))
