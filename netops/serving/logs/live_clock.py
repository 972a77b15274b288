"""Read the times of arriving messages: as those of files, but a year that is missing is the current one."""

import re
from collections.abc import Sequence
from time import time_ns

from netops.logs.formats.protocol import NAMED_ZONE

#: Hours that are stored, and how long (ns): a year that is missing may change.
_STORED, _LIFETIME = 20_000, 3_600 * 10**9
#: Characters of a time; longer texts are none and are not stored, since they come from outside.
_LONGEST = 64
#: Before the minutes, minutes, seconds, fraction, and what follows.
_PARTS = re.compile(
    r"(.*?(?<!\d)(?:[01]\d|2[0-3])):([0-5]\d):([0-5]\d)(?:[.,](\d{1,9})\d*)?(?![\d:.,])(.*)$", re.DOTALL | re.ASCII
)
_NO_ZONE = "its time has the zone '{}', which is ambiguous: set logs.timezone"


class LiveClock:
    """Read times. Messages of an hour differ in minutes and seconds alone, so hours are stored.

    Parameters
    ----------
    timezone : str
        Zone of times without one; empty is UTC.
    """

    def __init__(self, timezone: str = "") -> None:
        self._zone = timezone
        #: Text of an hour → its time, or why it cannot be read; empty: for no special reason.
        self._known: dict[str, int | str] = {}
        self._since = 0
        self.read(["Jan  1 00:00:00"])  # what this loads should not delay the first message

    def read(self, texts: Sequence[str]) -> list[int | str]:
        """Return the time of each text in nanoseconds since the epoch, or why it cannot be read."""
        parts = [_split(text) if len(text) <= _LONGEST else ("", 0) for text in texts]
        self._learn([hour for hour, _ in parts])
        known = self._known
        return [
            found + rest
            if isinstance(found := known[hour], int)
            else found or f"its time cannot be read: {text[:40]!r}"
            for text, (hour, rest) in zip(texts, parts, strict=True)
        ]

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
            # Late: it loads Arrow, which a server needs for texts of another hour alone.
            from netops.logs.clock import LogClock, Period

            times, good = LogClock("", self._zone, None, Period(now, now, "now"))(missing)
            for text, time, is_time in zip(missing, times.tolist(), good.tolist(), strict=True):
                self._known[text] = time if is_time else ""


def _split(text: str) -> tuple[str, int]:
    """Split a time into the text of its hour and the nanoseconds since then.

    >>> _split("2026-11-28T03:17:18.25Z")
    ('2026-11-28T03:00:00Z', 1038250000000)
    """
    match = _PARTS.match(text)
    if match is None:
        return text, 0
    before, minutes, seconds, digits, after = match.groups()
    rest = (int(minutes) * 60 + int(seconds)) * 10**9 + (int(digits.ljust(9, "0")) if digits else 0)
    return f"{before}:00:00{after}", rest
