"""Bodies of messages as network operating systems write them: IOS, IOS-XR, NX-OS, EOS, Junos."""

import re

_TIME = r"[*.]?(?:\d{4} )?[A-Z][a-z]{2} +\d{1,2}(?: \d{4})? \d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: \d{4})?"
#: Sequence number, host or location, own time with its zone, and process before the mnemonic.
_BEFORE = (
    rf"(?:: ?)?(?:\d{{1,10}}: )?(?:[\w./-]{{1,64}}: ?)??(?:{_TIME}(?: [A-Z]{{2,5}})?: )?(?:[\w.-]+\[\d+\] ?: ?)?"
)
_BODY = re.compile(rf"{_BEFORE}%([A-Z][A-Z0-9_-]*)-([0-7])-([A-Z0-9_]+) ?: ?(.*)", re.DOTALL)
#: With Junos' explicit-priority the message begins with facility and severity.
_JUNOS = re.compile(r"%([A-Z0-9_]+)-([0-7])(?:-([A-Z][A-Z0-9_]*))?: ?(.*)", re.DOTALL)


def body_of(text: str) -> tuple[str, int | None]:
    """Remove the device's own sequence number and time from a message, and find its severity.

    >>> body_of("12345: *Nov 28 03:17:18.123: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down")
    ('%LINK-3-UPDOWN: Interface Gi0/1, changed state to down', 3)
    >>> body_of("session opened")
    ('session opened', None)
    """
    if "%" not in text:
        return text, None
    if match := _BODY.match(text):
        facility, severity, mnemonic, rest = match.groups()
        return f"%{facility}-{severity}-{mnemonic}: {rest}", int(severity)
    if match := _JUNOS.match(text):
        return text, int(match[2])
    return text, None
