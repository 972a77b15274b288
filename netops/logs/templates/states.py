"""Words for states: messages that differ in one of them never have the same template.

``changed state to up`` and ``changed state to down`` have most words in common and opposite meanings.
"""

_WORDS = """
up down idle active inactive established full init exstart loading attempt ok good bad success successful
succeeded failed failure fail error errors normal abnormal critical major minor warning fault faulty enabled
disabled enable disable enabling disabling start started starting stop stopped stopping restart restarted open
opened close closed online offline present absent inserted removed added deleted raised cleared set unset lost
restored recovered loss found connected disconnected reachable unreachable joined left allowed denied accepted
rejected permitted blocked forwarding blocking learning listening discarding master backup standby primary
secondary on off high low above below true false in out bundled detached attached locked unlocked sync
synchronized unsynchronized valid invalid begin end ended
"""
_STATES = frozenset(_WORDS.split())
_PUNCTUATION = ".,;:!?()[]{}'\"<>="
_STORED = 100_000


class StateWords(dict[str, str]):
    """Word → the state that it names, or nothing; computed once per word, in bounded memory."""

    def __missing__(self, word: str) -> str:
        if len(self) >= _STORED:
            self.clear()
        plain = word.strip(_PUNCTUATION).lower()
        self[word] = state = plain if plain in _STATES else ""
        return state
