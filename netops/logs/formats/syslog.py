"""Syslog of RFC 3164 and RFC 5424, with and without <PRI>, and as relays write it to files."""

import re

from netops.logs.formats.protocol import Fields
from netops.logs.formats.vendor import body_of
from netops.logs.severity import of_priority

_PRI = r"(?:<(\d{1,3})>)?"
_BSD_TIME = r"[A-Z][a-z]{2} [ \d]?\d (?:\d{4} )?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: \d{4})?"
# A host ends with a space, a tag with a colon: 'Nov 28 03:17:18 sshd[7]: …' has no host.
_HOST = r"(?:([^\s\[\]%:][^\s\[\]]*(?<!:)) )?"
_TAG = r"(?:([^\s:\[\]%]{1,64})(?:\[[^\]\s]*\])?: ?)?"
_RFC3164 = re.compile(rf"{_PRI} ?({_BSD_TIME}) +(?!(?:[A-Z]{{2,5}}: )?%){_HOST} ?{_TAG}(.*)", re.DOTALL)
_ISO_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
#: As rsyslog forwards messages; without <PRI> it is the format "plain".
_FORWARDED = re.compile(rf"<(\d{{1,3}})>({_ISO_TIME}) {_HOST} ?{_TAG}(.*)", re.DOTALL)
_NIL = "-"
_SD = r"(?:-|(?:\[(?:[^\]\"\\]|\"(?:[^\"\\]|\\.)*\"|\\.)*\])+)"
_RFC5424 = re.compile(
    rf"(?:<(\d{{1,3}})>)?1 (\S+) (\S{{1,255}}) (\S{{1,48}}) (\S{{1,128}}) (\S{{1,32}}) {_SD}(?: \ufeff?(.*))?$",
    re.DOTALL,
)


def parse_rfc3164(line: str) -> Fields | str | None:
    """Read a line such as ``<189>Nov 28 03:17:18 leaf1 Ebra: %LINEPROTO-5-UPDOWN: …``, or with an ISO time."""
    match = _RFC3164.match(line) or _FORWARDED.match(line)
    if match is None:
        return None
    priority, time, host, tag, message = match.groups()
    body, severity = body_of(message if tag is None or not tag.isdigit() else f"{tag}: {message}")
    if severity is None:
        severity = of_priority(priority)
    if tag and not body.startswith("%"):
        body = f"{tag}: {body}"
    return Fields(time, host or "", severity, body)


def parse_rfc5424(line: str) -> Fields | str | None:
    """Read a line such as ``<165>1 2026-11-28T03:17:18.003Z mx1 rpd 1234 RPD_BGP_NEIGHBOR_STATE_CHANGED - …``."""
    match = _RFC5424.match(line)
    if match is None:
        return None
    priority, time, host, program, _, message_id, message = match.groups()
    if time == _NIL:
        return "no time (its field is '-')"
    body, severity = body_of((message or "").lstrip(" "))  # relays keep the space that was after a tag
    names = "" if body.startswith("%") else "".join(f"{n}: " for n in (program, message_id) if n != _NIL)
    severity = of_priority(priority) if priority else severity
    return Fields(time, "" if host == _NIL else host, -1 if severity is None else severity, names + body)
