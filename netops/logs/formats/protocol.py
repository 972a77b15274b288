"""Protocol of a format of log lines."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

#: Between a time and the abbreviation of its zone (CET): abbreviations are ambiguous, so the zone has to be set.
NAMED_ZONE = " zone "


class Fields(NamedTuple):
    """One message as it is in its line.

    Attributes
    ----------
    time : str
        Not parsed yet.
    host : str
        Empty if the line has none: then the file is named after the device.
    severity : int
        -1 if unknown.
    message : str
    """

    time: str
    host: str
    severity: int
    message: str


#: Parse one line; None if it is not of the format, a text if it is but is set aside for this reason.
Parse: TypeAlias = Callable[[str], Fields | str | None]
#: Lines by the block in which they were read: the number of the first one, and all of them.
Blocks: TypeAlias = Iterator[tuple[int, list[str]]]
#: The number of a line and its fields; or the reason why it is set aside, followed by its text.
Entries: TypeAlias = Iterator[tuple[int, Fields | str, str]]
