"""Severities of syslog (RFC 5424, section 6.2.1) and the words for them."""

#: Names by number.
NAMES = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
UNKNOWN = -1
#: From here to 0, messages are errors.
ERROR = 3
WARNING = 4
#: The highest number.
DEBUG = 7

_WORDS = {name: number for number, name in enumerate(NAMES)}
_WORDS |= {"emerg": 0, "panic": 0, "crit": 2, "fatal": 2, "err": 3, "severe": 3, "failure": 3, "warn": 4}
_WORDS |= {"informational": 6, "information": 6, "trace": 7, "verbose": 7}
#: A regular expression for the words, in any case.
WORD = r"(?i:" + "|".join(sorted(_WORDS, key=len, reverse=True)) + ")"


def of_priority(text: str | None) -> int:
    """Return the severity of a PRI value, which is facility × 8 + severity; unknown if there is none.

    >>> of_priority("189"), of_priority(None)
    (5, -1)
    """
    return int(text) & 7 if text else UNKNOWN


def of_word(word: object) -> int:
    """Return the severity of a word or a number; unknown if it is neither.

    >>> of_word("WARN"), of_word(" Error "), of_word("4"), of_word("blue")
    (4, 3, 4, -1)
    """
    text = str(word).strip().lower() if word is not None else ""
    if text in ("0", "1", "2", "3", "4", "5", "6", "7"):
        return int(text)
    return _WORDS.get(text, UNKNOWN)


def name_of(severity: int) -> str:
    """Return the name of a severity."""
    return NAMES[severity] if severity >= 0 else "unknown"
