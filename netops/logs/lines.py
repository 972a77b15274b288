"""Lines of a text file, block by block, in bounded memory."""

import codecs
from collections.abc import Iterator
from typing import Protocol

_BLOCK = 1 << 20
_ENDS = "\r\x00"


class Readable(Protocol):
    """What lines are read from."""

    def read(self, nbytes: int = ..., /) -> bytes:
        """Read some bytes; none at the end."""


def read_lines(stream: Readable, encoding: str, longest: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of a stream.

    Parameters
    ----------
    stream : Readable
        Read to its end.
    encoding : str
        Invalid bytes are replaced.
    longest : int
        Maximum length; of a longer line, a start that is longer is yielded.

    Yields
    ------
    int, list of str
        The number of the first line of a block, from 1, and its lines without their ends.
    """
    decode = codecs.getincrementaldecoder(encoding)(errors="replace").decode
    number, rest = 1, ""
    while block := stream.read(_BLOCK):
        lines = (rest + decode(block)).split("\n")
        rest = _bounded(lines.pop(), longest)
        if lines:
            yield number, _trimmed(lines, longest)
            number += len(lines)
    rest += decode(b"", True)
    if rest:
        yield number, _trimmed([rest], longest)


def _bounded(text: str, longest: int) -> str:
    """Shorten the start of a line so that it is as much too long as before, whatever follows."""
    if len(text) <= longest + 1:
        return text
    filled = text.rstrip(_ENDS)
    return filled + (longest + 2 - len(filled)) * "\r" if len(filled) <= longest else filled[:longest] + "……"


def _trimmed(lines: list[str], longest: int) -> list[str]:
    return [line.rstrip(_ENDS)[: longest + 1] for line in lines]
