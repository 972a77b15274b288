"""Find the header in delimited text: the line with the column names, the delimiter, lines to skip."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from netops.telemetry.columns.known_names import TIMES, key_of

_MARKS = (",", ";", "\t", "|")
_LINES = 400
# Integers may be column names; numbers with a fraction, or with as many digits as an epoch, are values.
_NUMBER = re.compile(r"^\s*[+-]?(\d+[.,]\d*|[.,]\d+|\d{9,}|\d+(?=[eE%]))([eE][+-]?\d+)?\s*%?\s*$")
_ANY_NUMBER = re.compile(r"^\s*[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*%?\s*$")
_TIME = re.compile(r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?$|^\s*\d{1,2}:\d\d")
#: Annotations in InfluxDB's CSV before each table.
ANNOTATIONS = ("#group", "#datatype", "#default")


@dataclass(frozen=True)
class Header:
    """The first lines of delimited text.

    Attributes
    ----------
    names : tuple of str
        The columns; the first without a name is empty, the next ones are ``Unnamed: 3``.
    delimiter : str
    line : int
        The line of the names, counted from 1.
    preamble : str
        Description of the lines before it; empty if there are none.
    is_flux : bool
        Whether annotations of InfluxDB precede the names.
    sections : bool
        Whether there are more headers in the file.
    """

    names: tuple[str, ...]
    delimiter: str
    line: int
    preamble: str = ""
    is_flux: bool = False
    sections: bool = False


@dataclass(frozen=True)
class _Record:
    line: int
    raw: str
    values: tuple[str, ...]


class NoHeaderError(ValueError):
    """There is no header; the message describes the text."""


def find_header(text: str, whole: bool) -> Header:
    """Find the column names.

    Parameters
    ----------
    text : str
        The start of the file.
    whole : bool
        Whether the text is the complete file; if not, its last line is truncated.

    Raises
    ------
    NoHeaderError
        If no line can be a header.
    """
    forced = re.match(r"\ufeff?sep=(.)\r?\n", text, re.IGNORECASE)
    if not whole and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    candidates = [_candidate(text, mark) for mark in ([forced[1]] if forced else _MARKS)]
    found = [candidate for candidate in candidates if candidate is not None]
    if not found:
        records = _records(text, ",")
        if not records:
            raise NoHeaderError("the file is empty")
        first = records[0]
        if len(records) > 1 and any(len(record.values) > 1 for record in records):
            raise NoHeaderError(f"line {first.line} is not a header: {_shown(first.raw)}")
        return Header(_named(first.values), ",", first.line)
    _, header = max(found, key=lambda candidate: candidate[0])
    return header


def header_in(line: str, delimiter: str, number: int) -> Header:
    """Use a line that is known to be the header."""
    return Header(_named(next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter))), delimiter, number)


def _candidate(text: str, mark: str) -> tuple[tuple[float, int], Header] | None:
    """Parse the text with one delimiter; return a score and the resulting header."""
    records = _records(text, mark)
    bodies = [record for record in records if not _is_remark(record, records)]
    counts = Counter(len(record.values) for record in bodies if len(record.values) > 1)
    if not counts:
        return None
    usual = max(counts, key=lambda count: (counts[count], count))
    index = next((i for i, record in enumerate(bodies) if len(record.values) == usual), None)
    if index is None:
        return None
    header = bodies[index]
    if index == 0 and _is_data(header):
        raise NoHeaderError(
            f"line {header.line} is data, not column names: {_shown(header.raw)}; add a header line"
        )
    if index > 0 and _holds_numbers(header):
        # The number of names differs from that of the values: the error of the row reports it.
        index, header = 0, bodies[0]
    fit = sum(len(record.values) == len(header.values) for record in bodies[index:]) / len(bodies)
    before = [record for record in records if record.line < header.line]
    flux = any(record.values[0] in ANNOTATIONS for record in before)
    again = (
        flux
        or header.raw.startswith("# hostname")
        or any(record.raw == header.raw or record.raw.startswith("# hostname") for record in bodies[index + 1 :])
    )
    found = Header(_named(header.values), mark, header.line, _preamble(before), flux, again)
    return (fit, len(header.values)), found


def _records(text: str, mark: str) -> list[_Record]:
    """Split text into records, each with its first line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    records, line = [], 1
    lines = re.split(r"\r\n|\n|\r", text)
    try:
        for values in reader:
            if values and any(value.strip() for value in values):
                records.append(_Record(line, lines[line - 1], tuple(values)))
            line = reader.line_num + 1
            if len(records) >= _LINES:
                break
    except csv.Error:
        pass
    return records


def _is_remark(record: _Record, records: Sequence[_Record]) -> bool:
    """Return whether a line is a comment: it begins with ``#``, and is not the header."""
    if record.raw[:4].lower() == "sep=" or "LINUX-RESTART" in record.raw:
        return True
    if not record.raw.lstrip().startswith("#"):
        return False
    if record.values[0] in ANNOTATIONS or len(record.values) < 2:
        return True
    after = next((other for other in records if other.line > record.line and not other.raw.startswith("#")), None)
    return after is None or len(after.values) != len(record.values) or not _is_data(after)


def _is_data(record: _Record) -> bool:
    """Return whether a record contains values, not names."""
    return any(_NUMBER.match(value) or _TIME.match(value) for value in record.values)


def _holds_numbers(record: _Record) -> bool:
    """Return whether a later record is unlikely to be a header: it has a number, and no name of a time column."""
    times = {key_of(name) for name in TIMES}
    return any(_ANY_NUMBER.match(value) or _TIME.match(value) for value in record.values) and not any(
        key_of(value) in times for value in record.values
    )


def _named(values: Sequence[str]) -> tuple[str, ...]:
    names: list[str] = []
    for index, value in enumerate(values):
        name = value.lstrip("\ufeff") if index == 0 else value
        names.append(name if name.strip() or "" not in names else f"Unnamed: {index}")
        if not names[-1].strip():
            names[-1] = ""
    return tuple(names)


def _preamble(records: Sequence[_Record]) -> str:
    if not records:
        return ""
    lines = f"line {records[0].line}" if len(records) == 1 else f"lines {records[0].line} to {records[-1].line}"
    return f"{lines} before the header skipped ({_shown(records[0].raw)})"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
