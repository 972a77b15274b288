"""Mask what looks like a secret in messages that are kept.

Anybody may send a text, so every pattern takes time that is linear in its length: what repeats is bounded, cannot
match what follows it, or starts where no other match can.
"""

import re

MASK = "***"
_NAME = (
    r"pass(?:word(?:-encrypt)?|wd|phrase|code)|(?<!by)(?<!com)pass|pwd|secret|token|community|credentials?"
    r"|authorization|(?:api|access|private)[-_ ]?key|key[-_ ]?string"
    r"|pre[-_ ]?shared[-_ ]?key(?:\s+(?:local|remote))?|shared[-_]key|psk"
    r"|(?:authentication|message-digest|encryption|privacy)-key"
)
#: Between a name and its value: the scheme, the encoding or the algorithm (Cisco: ``password 7 094F…``).
_KIND = (
    r"bearer|basic|digest|token|level\s+\d{1,2}|\d{1,2}|(?:un)?encrypted|(?:plain|clear|ascii)(?:[-_]?text)?"
    r"|text|hex(?:adecimal)?|hash|scrypt|cipher|simple|3?des\d{0,3}|aes(?:[-\s]?\d{3})?"
    r"|(?:\d{1,5}\s+)?(?:(?:hmac-)?(?:md5|sha(?:[-_]?\d{1,3}){0,2})|cmac-aes-\d{3})"
)
_KINDS = rf"(?:(?:{_KIND})\s+){{0,3}}"
#: In quotes, which may be escaped or, where the text was cut, not closed; else up to a space.
_QUOTED = r"\"(?:[^\"\\]|\\.)*(?:\"|\\?\Z)|'[^']*(?:'|\Z)|\\+[\"'][^\"'\\]*(?:\\+[\"']|\Z)"
_VALUE = rf"(?:{_QUOTED}|[^\s,;\"']+)"
#: After a name and a space these continue a sentence ("Failed password for root").
_PROSE = (
    r"(?!(?:for|from|of|to|on|in|at|by|with|and|or|not|is|was|were|has|have|will|must|cannot|failed|failure|expired"
    r"|mismatch|authentication)[,;:.]?(?:\s|\Z))"
)
_NAMED = re.compile(
    rf"(?is)((?:{_NAME})s?\b\\{{0,3}}[\"']?(?:(?:\s+is)?\s*[:=]{{1,3}}>?\s*{_KINDS}|\s+(?:is\s+)?{_KINDS}{_PROSE}))"
    rf"{_VALUE}"
)
#: Commands in which the word "key" alone names a secret.
_COMMAND = re.compile(r"(?i)\b(?:(?:tacacs|radius)-server|server-private|crypto\s+isakmp|snmp-server\s+user)\b")
_IN_COMMAND = re.compile(rf"(?is)(\b(?:key|auth|priv)\s+{_KINDS}){_VALUE}")
#: Elsewhere it does with the number of an encoding, before what is not a word of a sentence.
_ENCODED = re.compile(
    rf"(?s)(\b(?i:key)\s+(?:0|[5-9]|10)\s+)"
    rf"(?:{_QUOTED}|(?=[^\s,;\"']*[0-9$!#%^&*@=]|[^\s,;\"']+[A-Z])[^\s,;\"']{{4,}})"
)
_IN_URL = re.compile(r"(://[^\s:/\"]*:)[^\s/\"]+@")
#: Hashes of ``crypt``, and the like of Junos and Comware.
_CRYPT = re.compile(r"\$(?:\d{1,2}[abxy]?|[chy]|sha\d{1,3})\$[^\s,;\"']{4,}")
#: Long words of letters and digits in both cases: hashes, tokens and keys.
_LONG = re.compile(r"(?<![\w/+-])(?=[\w/+-]*[0-9])(?=[\w/+-]*[A-Za-z])[\w/+-]{32,}={0,2}(?![\w/+-])")
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_WHOLE_WORDS = re.compile(r".*[\s\"]", re.DOTALL)


def without_secrets(text: str) -> str:
    """Mask passwords, keys, tokens and communities.

    It knows the usual notations; that a secret is in none of them cannot be excluded.

    >>> without_secrets("username admin password 7 094F471A1A0A")
    'username admin password 7 ***'
    >>> without_secrets("fetch https://bob:hunter2@host/ failed")
    'fetch https://bob:***@host/ failed'
    """
    text = _IN_URL.sub(rf"\g<1>{MASK}@", text)
    text = _CRYPT.sub(MASK, _JWT.sub(MASK, text))
    command = _COMMAND.search(text)
    if command:
        since = command.end()
        text = text[:since] + _IN_COMMAND.sub(rf"\g<1>{MASK}", text[since:])
    text = _ENCODED.sub(rf"\g<1>{MASK}", _NAMED.sub(rf"\g<1>{MASK}", text))
    return _LONG.sub(MASK, text)


def start_without_secrets(text: str, length: int) -> str:
    """Return the first characters of a text, secrets masked, also those at the cut.

    Parameters
    ----------
    text : str
    length : int
        Maximum number of characters; twice as many are searched for secrets.

    >>> start_without_secrets("fetch https://bob:hunter2@host/ failed", 21)
    'fetch https://bob:***'
    """
    searched = text[: 2 * length]
    if len(text) > len(searched):
        # The last word may be the first half of a secret, in which it cannot be recognised.
        whole = _WHOLE_WORDS.match(searched)
        searched = whole.group() if whole else MASK
    return without_secrets(searched)[:length]
