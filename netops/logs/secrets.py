"""Mask what looks like a secret in messages that are kept."""

import re

MASK = "***"
_NAME = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|community|credentials?|authorization|api[-_ ]?key|access[-_ ]?key"
    r"|private[-_ ]?key|key[-_ ]?string|pre[-_ ]?shared[-_ ]?key|psk"
)
#: A name of a secret, perhaps with the number of its encoding (Cisco: ``password 7 094F…``), and its value.
_NAMED = re.compile(
    rf"(?i)(\b[\w-]*(?:{_NAME})s?\b[\"']?(?:\s*[:=]\s*|\s+(?:is\s+)?)(?:(?:bearer|basic|[0-9])\s+)?)"
    r"(\"[^\"]*\"|'[^']*'|[^\s,;\"']+)"
)
_IN_URL = re.compile(r"([a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,128}:)[^\s/@]{1,256}@")
#: Long words of letters and digits in both cases: hashes, tokens and keys.
_LONG = re.compile(r"(?<![\w/+-])(?=[\w/+-]*[0-9])(?=[\w/+-]*[A-Za-z])[\w/+-]{32,}={0,2}(?![\w/+-])")
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")


def without_secrets(text: str) -> str:
    """Mask passwords, keys, tokens and communities.

    It knows the usual notations; that a secret is in none of them cannot be excluded.

    >>> without_secrets("username admin password 7 094F471A1A0A")
    'username admin password 7 ***'
    >>> without_secrets("fetch https://bob:hunter2@host/ failed")
    'fetch https://bob:***@host/ failed'
    """
    text = _IN_URL.sub(rf"\g<1>{MASK}@", text)
    text = _JWT.sub(MASK, text)
    return _LONG.sub(MASK, _NAMED.sub(rf"\g<1>{MASK}", text))
