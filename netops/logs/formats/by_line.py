"""Entries of formats with one message per line and indented lines that continue it."""

from netops.logs.formats.protocol import Blocks, Entries, Fields, Parse

#: Further lines of a message that are stored, and their characters.
MAX_LINES, MAX_TEXT = 50, 8_192
NOT_OF_FORMAT = "lines set aside, not in the format {}"
TOO_LONG = "lines set aside, longer than {:,} characters"


def line_entries(blocks: Blocks, parse: Parse, name: str, longest: int) -> Entries:
    """Parse lines; an indented line that is not of the format continues the message before it.

    Parameters
    ----------
    blocks : iterator
        Lines (see ``lines.read_lines``).
    parse : callable
    name : str
        The format, for reasons.
    longest : int
        Maximum length of a line.
    """
    wrong, long = NOT_OF_FORMAT.format(name), TOO_LONG.format(longest)
    number, message = 0, _NONE
    more: list[str] = []
    for first, lines in blocks:
        for at, line in enumerate(lines, first):
            fields = parse(line) if len(line) <= longest else long
            if fields.__class__ is Fields:
                if message is not _NONE:
                    yield number, _joined(message, more) if more else message, ""
                    more = []
                number, message = at, fields
            elif fields is None and message is not _NONE and line[:1] in _INDENT:
                if line.strip() and len(more) < MAX_LINES:
                    more.append(line)
            elif line:
                yield at, fields or wrong, line
    if message is not _NONE:
        yield number, _joined(message, more), ""


_NONE = Fields("", "", 0, "")
_INDENT = ("", " ", "\t")


def _joined(fields: Fields, more: list[str]) -> Fields:
    return fields._replace(message="\n".join([fields.message, *more])[:MAX_TEXT]) if more else fields
