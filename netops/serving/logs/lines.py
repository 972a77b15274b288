"""Read arriving lines: syslog as devices and relays send it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from time import time_ns

from netops.logs.formats.cisco import parse_cisco
from netops.logs.formats.plain import parse_plain
from netops.logs.formats.protocol import Fields
from netops.logs.formats.syslog import parse_rfc3164, parse_rfc5424
from netops.logs.formats.vendor import body_of
from netops.logs.severity import of_priority
from netops.serving.logs.live_clock import LiveClock
from netops.serving.logs.messages import Message

_FORMATS = (parse_rfc5424, parse_rfc3164, parse_cisco, parse_plain)
#: The time of a message that has none.
_NOW = "now"
#: What devices send without time, or with the time since their start.
_ONLY_PRIORITY = re.compile(r"<(\d{1,3})>(.+)", re.DOTALL)


def fields_of(lines: Iterable[str], longest: int) -> Iterator[Fields | str]:
    """Parse lines, each of any format; a text is the reason why a line cannot be read.

    Parameters
    ----------
    lines : iterable of str
    longest : int
        Maximum length of a line.
    """
    for line in lines:
        yield _parsed(line) if len(line) <= longest else f"longer than {longest:,} characters"


def _parsed(line: str) -> Fields | str:
    reason = None
    for parse in _FORMATS:
        found = parse(line)
        if found.__class__ is Fields:
            return found
        reason = reason or found
    if match := _ONLY_PRIORITY.match(line):
        body, severity = body_of(match[2].strip())
        return Fields(_NOW, "", of_priority(match[1]) if severity is None else severity, body)
    return reason or f"no known format: {line[:60]!r}"


def messages_of(fields: Sequence[Fields | str], clock: LiveClock, peer: str = "") -> Iterator[Message | str]:
    """Read the times of parsed lines; a text is the reason why one cannot be read.

    Parameters
    ----------
    fields : sequence of Fields or str
    clock : LiveClock
    peer : str
        The sender: the host of lines that name none.
    """
    times = iter(clock.read([found.time for found in fields if isinstance(found, Fields) and found.time != _NOW]))
    for found in fields:
        if isinstance(found, str):
            yield found
            continue
        time, host = time_ns() if found.time == _NOW else next(times), found.host or peer
        if isinstance(time, str):
            yield time
        elif not host:
            yield "names no host"
        else:
            yield Message(time, host, found.severity, found.message)
