"""Lines as a Cisco device itself writes them, without the header of a relay."""

import re

from netops.logs.formats.protocol import NAMED_ZONE, Fields

_PREFIX = r"(?:<\d{1,3}>)?(?:: )?(?:\d{1,10}: )?"
#: Node of an IOS-XR device (RP/0/RP0/CPU0:), or the name of the host.
_ORIGIN = r"(?:[A-Z0-9]+(?:/[A-Z0-9]+){2,4}:|([A-Za-z][\w.-]*): )?"
_TIME = r"[*.]?((?:\d{4} )?[A-Z][a-z]{2} +\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: \d{4})?)"
_ZONE = r"(?: ([A-Z]{2,5}|[+-]\d\d:?\d\d))?"
#: NX-OS names the host between time and message.
_AFTER = r"(?:: ?| ([A-Za-z][\w.-]*) )(?:[\w.-]+\[\d+\] ?: ?)?(?:[A-Z]+-SLOT\d+ )?"
_MNEMONIC = r"%([A-Z][A-Z0-9_-]*)-([0-7])-([A-Z0-9_]+) ?: ?(.*)"
_LINE = re.compile(_PREFIX + _ORIGIN + _TIME + _ZONE + _AFTER + _MNEMONIC, re.DOTALL)
_UPTIME = re.compile(
    rf"{_PREFIX}(?:\d+[ywdhms]\d*[ywdhms]?|\d+:\d\d:\d\d|\d+y\d+w|\d+w\d+d|\d+d\d+h): {_MNEMONIC}", re.DOTALL
)
_UTC = ("UTC", "GMT")


def parse_cisco(line: str) -> Fields | str | None:
    """Read a line such as ``000123: *Nov 28 03:17:18.123 UTC: %LINK-3-UPDOWN: Interface …``."""
    match = _LINE.match(line)
    if match is None:
        return "time since the start of the device, not a time of day" if _UPTIME.match(line) else None
    host, time, zone, other, facility, severity, mnemonic, rest = match.groups()
    if zone and zone[0].isalpha() and zone not in _UTC:
        time, zone = f"{time}{NAMED_ZONE}{zone}", None
    message = f"%{facility}-{severity}-{mnemonic}: {rest}"
    return Fields(f"{time} {zone}" if zone else time, host or other or "", int(severity), message)
