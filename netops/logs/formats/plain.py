"""Lines that begin with a complete time: ``timestamp host message``, and ``timestamp message`` of one device."""

import re

from netops.logs.formats.protocol import Fields
from netops.logs.formats.vendor import body_of
from netops.logs.severity import UNKNOWN, WORD, of_word

_TIME = (
    r"\[?(\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9}\d*)?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
    r"|\d{10}(?:\.\d{1,9}|\d{3}|\d{6}|\d{9})?)\]?"
)
_LEVEL = rf"(?:(?:- )?[\[<(]?({WORD})[\]>)]?:?[ \t]+(?:- )?)?"
#: A word for a severity is no host.
_HOST = rf"(?!{WORD}[ \t:])([A-Za-z0-9][^\s\[\]]*(?<!:))"
_PLAIN = re.compile(rf"{_TIME},?[ \t]+{_LEVEL}{_HOST}[ \t]+{_LEVEL}(.+)", re.DOTALL)
_SINGLE = re.compile(rf"{_TIME}[:,]?[ \t]+{_LEVEL}(.+)", re.DOTALL)


def parse_plain(line: str) -> Fields | str | None:
    """Read a line such as ``2026-11-28T03:17:18+01:00 leaf1 kernel: link down``."""
    match = _PLAIN.match(line)
    if match is None:
        return None
    time, before, host, after, message = match.groups()
    return Fields(time, host, *_with_severity(before or after, message))


def parse_single(line: str) -> Fields | str | None:
    """Read a line such as ``2026-11-28 03:17:18,123 ERROR link down``; the file has the name of the device."""
    match = _SINGLE.match(line)
    if match is None:
        return None
    time, level, message = match.groups()
    return Fields(time, "", *_with_severity(level, message))


def _with_severity(level: str | None, message: str) -> tuple[int, str]:
    body, severity = body_of(message)
    if level:
        return of_word(level), body
    return (UNKNOWN if severity is None else severity), body
