"""CSV exports of logs: columns of time, device, message and severity, found by name."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from netops.errors import NetopsError
from netops.logs.formats.by_line import TOO_LONG
from netops.logs.formats.protocol import Blocks, Entries, Fields
from netops.logs.formats.vendor import body_of
from netops.logs.severity import of_word
from netops.telemetry.columns.known_names import DEVICES, TIMES, first_of

MESSAGES = ("message", "msg", "log", "line", "text", "event", "description", "content", "raw", "_raw", "body")
#: Names of the kind of an event: of maintenance, a configuration change, an alarm.
KINDS = (
    *("kind", "event", "type", "event type", "event_id", "error", "error id", "errorid", "component", "comp"),
    *("change", "change type", "action", "alarm", "alarm name", "alarm type", "category", "name", "model failure"),
)
SEVERITIES = ("severity", "level", "loglevel", "log level", "priority", "severity label", "syslog severity")
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Header:
    """The columns of a CSV file, by index (-1 if there is none), and what a message is."""

    delimiter: str
    count: int
    time: int
    message: int
    device: int = -1
    severity: int = -1
    what: str = MESSAGES[0]


def header_of(line: str, messages: Sequence[str] = MESSAGES) -> Header | None:
    """Find the columns by the first line; None if time or message is missing.

    Parameters
    ----------
    line : str
    messages : sequence of str
        Names of the column of the message.
    """
    for delimiter in _DELIMITERS:
        try:
            names = next(csv.reader([line.lstrip("\ufeff")], delimiter=delimiter), [])
        except csv.Error:
            return None
        time, message = _index(names, TIMES), _index(names, messages)
        if time >= 0 and message >= 0:
            others = _index(names, DEVICES), _index(names, SEVERITIES)
            return Header(delimiter, len(names), time, message, *others, messages[0])
    return None


def _index(names: Sequence[str], wanted: Iterable[str]) -> int:
    found = first_of(names, [name for name in wanted if "*" not in name])
    return -1 if found is None else list(names).index(found)


def csv_entries(blocks: Blocks, where: str, longest: int, messages: Sequence[str] = MESSAGES) -> Entries:
    """Parse rows; a quoted message may have several lines.

    Parameters
    ----------
    blocks : iterator
        Lines (see ``lines.read_lines``).
    where : str
        The file, for errors.
    longest : int
        Maximum length of a line.
    messages : sequence of str
        Names of the column of the message.

    Raises
    ------
    NetopsError
        If the columns of time and message are not found.
    """
    rows = _Numbered(blocks, longest)
    header = header_of(next(rows, ""), messages)
    if header is None:
        raise NetopsError(
            f"{where}: no columns of time and {messages[0]}; names of the latter: {', '.join(messages)}"
        )
    reader = csv.reader(rows, delimiter=header.delimiter)
    while True:
        at = rows.number + 1
        rows.begin_row()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield at, f"rows set aside that are not CSV ({error})", ""
            continue
        if rows.too_long:
            yield at, TOO_LONG.format(longest), header.delimiter.join(row)[:200]
        elif row:
            yield at, _fields(row, header), header.delimiter.join(row)[:200]


def _fields(row: Sequence[str], header: Header) -> Fields | str:
    if len(row) != header.count:
        return "rows set aside with another number of columns than the header"
    if not row[header.message]:
        return f"rows set aside without a {header.what}"
    body, own = body_of(row[header.message])
    severity = of_word(row[header.severity]) if header.severity >= 0 else -1
    device = row[header.device].strip() if header.device >= 0 else ""
    return Fields(row[header.time].strip(), device, own if severity < 0 and own is not None else severity, body)


class _Numbered(Iterator[str]):
    """The lines of blocks, with their ends, and the number of the last one.

    Of a line that is too long, the end is not known, nor whether a quotation ends there: its row ends with it.
    """

    def __init__(self, blocks: Blocks, longest: int) -> None:
        self.number, self.too_long = 0, False
        self._longest, self._continued = longest, False
        self._lines = (line for _, lines in blocks for line in lines)

    def begin_row(self) -> None:
        """Take the next line as the first of a row."""
        self.too_long = self._continued = False

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        if len(line) > self._longest:
            self.too_long = True
            line = '"' if self._continued else ""
        self._continued = True
        return line + "\n"
