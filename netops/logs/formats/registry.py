"""The formats of log lines, by name."""

from collections.abc import Sequence

from netops.logs.formats.by_line import line_entries
from netops.logs.formats.cisco import parse_cisco
from netops.logs.formats.collected import HOST_LABELS
from netops.logs.formats.csv import KINDS, csv_entries
from netops.logs.formats.json import json_entries
from netops.logs.formats.plain import parse_plain, parse_single
from netops.logs.formats.protocol import Blocks, Entries, Parse
from netops.logs.formats.syslog import parse_rfc3164, parse_rfc5424

#: Formats with one message per line.
BY_LINE: dict[str, Parse] = {
    "rfc3164": parse_rfc3164,
    "rfc5424": parse_rfc5424,
    "cisco": parse_cisco,
    "plain": parse_plain,
    "single": parse_single,
}
JSON, CSV = "json", "csv"
#: CSV of events: the kind of each is its message.
EVENTS = "events"
#: JSON whose lines are no values of their own.
DOCUMENT = "json document"


def entries_of(
    blocks: Blocks, name: str, where: str, longest: int, host_labels: Sequence[str] = HOST_LABELS
) -> Entries:
    """Parse lines of a format.

    Parameters
    ----------
    blocks : iterator
        Lines (see ``lines.read_lines``).
    name : str
        A key of ``names.FORMATS``, ``json document`` or ``events``.
    where : str
        The file, for errors.
    longest : int
        Maximum length of a line.
    host_labels : sequence of str
        Labels of JSON with the host.
    """
    if name == EVENTS:
        return csv_entries(blocks, where, longest, KINDS)
    if name == CSV:
        return csv_entries(blocks, where, longest)
    if name in (JSON, DOCUMENT):
        return json_entries(blocks, longest, name == DOCUMENT, host_labels)
    return line_entries(blocks, BY_LINE[name], name, longest)
