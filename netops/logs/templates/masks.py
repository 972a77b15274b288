"""Masks: words of messages that are values become ``<*>`` before templates are learned."""

import calendar
import re

#: Placeholder of a value in a template.
WILDCARD = "<*>"

_HEX = "[0-9A-Fa-f]"
_START, _END = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
_INTERFACE = (
    r"(?:(?:[A-Z][A-Za-z-]{0,39})?(?:Ethernet|GigE|Gig|[Cc]hannel|Ether|V[Ll][Aa][Nn]|Loopback|Tunnel|Management|Serial)"
    r"|Gi|Te|Fa|Hu|Fo|Twe|Eth|Et|Po|Lo|Tu|Vl|Mg|xe-|ge-|et-|fe-|ae|irb|lo|em|fxp|swp|eth|bond|vlan|mgmt|ens|eno)"
)
_TOP = "com|net|org|edu|gov|mil|int|io|info|biz|local|lan|internal|intra|corp|example|home|arpa|[a-z]{2}"
#: What is masked, by name, in the order in which it is tried at each position of a word.
MASKS: dict[str, str] = {
    "MAC address": rf"(?<![0-9A-Za-z:])(?:{_HEX}{{2}}[:-]){{5}}{_HEX}{{2}}(?![0-9A-Za-z:])",
    "MAC address of Cisco": rf"(?<![0-9A-Za-z.]){_HEX}{{4}}\.{_HEX}{{4}}\.{_HEX}{{4}}(?![0-9A-Za-z.])",
    "UUID": rf"{_START}{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}{_END}",
    "IPv4 address": rf"(?<![0-9A-Za-z.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?:[:/]\d+)?{_END}",
    "IPv6 address": (
        rf"(?<![0-9A-Za-z:.])(?:{_HEX}{{0,4}}:){{2,7}}{_HEX}{{1,4}}(?:%\w+)?(?:/\d{{1,3}})?(?![0-9A-Za-z:])"
    ),
    "interface": rf"{_START}{_INTERFACE}\d+(?:[/.:]\d+)*{_END}",
    "URL": r"[a-z][a-z0-9+.-]{1,20}://[^\s,;\"')\]]+",
    "host name": rf"(?<![0-9A-Za-z.@/_-])(?:[A-Za-z0-9_-]+\.){{1,8}}(?:{_TOP})(?::\d+)?(?![0-9A-Za-z._-])",
    "path": r"(?<![0-9A-Za-z.<>*])/(?:[\w.+@%~-]+/)+[\w.+@%~-]*|(?<![0-9A-Za-z./<>*])/[\w.+@%~-]+",
    "hexadecimal number": rf"0[xX]{_HEX}+|{_START}(?=[A-Fa-f]*\d){_HEX}{{8,}}{_END}",
    "number": (
        rf"{_START}[-+]?\d+(?:[.,:/_-]\d+)*(?:[KMGTkmgt]?i?[Bb](?:ps|/s)?|[mun]?s(?:ec)?|%|x|MHz|GHz|st|nd|rd|th)?{_END}"
    ),
}
_VALUE = re.compile("|".join(f"(?:{mask})" for mask in MASKS.values()))
_MAYBE = re.compile(r"[\d/:.]").search
#: The kind of a message in Cisco's and Arista's systems: %LINK-3-UPDOWN: has a number, but is no value.
_MNEMONIC = re.compile(r"%[A-Z][A-Z0-9_-]*-[0-7]-[A-Z0-9_]+:?").fullmatch
_DATES = frozenset([*calendar.day_abbr, *calendar.month_abbr[1:]])
#: Words longer than this are not searched for values: they are one.
_LONGEST = 256
#: Words that are stored with their mask.
_STORED = 100_000


class MaskedWords(dict[str, str]):
    """Word → the word with its values masked; computed once per word, in bounded memory."""

    def __missing__(self, word: str) -> str:
        if len(self) >= _STORED:
            self.clear()
        self[word] = masked = mask_word(word)
        return masked


def mask_word(word: str) -> str:
    """Mask the values in a word without spaces.

    >>> mask_word("rhost=10.0.0.1"), mask_word("GigabitEthernet0/1,"), mask_word("down"), mask_word("Nov")
    ('rhost=<*>', '<*>,', 'down', '<*>')
    """
    if word.isdecimal() or word in _DATES or len(word) > _LONGEST:
        return WILDCARD
    if not _MAYBE(word) or is_mnemonic(word):
        return word
    return _VALUE.sub(WILDCARD, word)


def is_mnemonic(word: str) -> bool:
    """Return whether a word is the kind of a message, such as ``%LINK-3-UPDOWN:``."""
    return word.startswith("%") and _MNEMONIC(word) is not None
