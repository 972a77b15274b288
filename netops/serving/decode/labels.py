"""Label sets as text: ``{host="leaf1", job="syslog"}``."""

import re

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LABEL = re.compile(rf"\s*(?:([^\W\d][\w.:-]*)|{_QUOTED})\s*=\s*(?:{_QUOTED}|`([^`]*)`)\s*(?:,|(?=}}))")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def read_labels(text: str) -> dict[str, str]:
    r"""Read a label set, whose values are quoted as in Go.

    Raises
    ------
    ValueError
        If it is not one.

    Examples
    --------
    >>> read_labels('{host="leaf1", path="C:\\\\logs"}')
    {'host': 'leaf1', 'path': 'C:\\logs'}
    """
    text, index = text.strip(), 1
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError(f"not a set of labels: {text[:80]!r}")
    labels: dict[str, str] = {}
    while match := _LABEL.match(text, index):
        name, quoted, value, raw = match.groups()
        labels[name or _unescaped(quoted)] = raw if value is None else _unescaped(value)
        index = match.end()
    if text[index:].strip() != "}":
        raise ValueError(f"not a set of labels: {text[:80]!r}")
    return labels


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    byte, short, long, octal, other = match.groups()
    if other is not None:
        return _NAMED.get(other, other)
    code = int(octal, 8) if octal else int(byte or short or long, 16)
    return chr(code) if code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd"
