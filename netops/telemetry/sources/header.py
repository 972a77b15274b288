"""Where the names of the columns are in delimited text, and what stands before and between."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from netops.telemetry.columns.known_names import TIMES, key_of

_MARKS = (",", ";", "\t", "|")
_LINES = 400
# Whole numbers may be names of columns; those with a fraction, and those as long as an epoch, are values.
_NUMBER = re.compile(r"^\s*[+-]?(\d+[.,]\d*|[.,]\d+|\d{9,}|\d+(?=[eE%]))([eE][+-]?\d+)?\s*%?\s*$")
_ANY_NUMBER = re.compile(r"^\s*[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*%?\s*$")
_TIME = re.compile(r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?$|^\s*\d{1,2}:\d\d")
#: Annotations of InfluxDB's CSV, in front of each table.
ANNOTATIONS = ("#group", "#datatype", "#default")


@dataclass(frozen=True)
class Header:
    """The first lines of delimited text.

    Attributes
    ----------
    names : tuple of str
        The columns; one without a name is empty, the next ones ``Unnamed: 3``.
    delimiter : str
    line : int
        Where the names are, counted from 1.
    preamble : str
        What the lines before it are, in words; empty where there are none.
    is_flux : bool
        Whether annotations of InfluxDB stand before the names.
    sections : bool
        Whether other names of columns follow further down.
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
    """There are no names of columns; the message says what there is."""


def find_header(text: str, whole: bool) -> Header:
    """Find the names of the columns.

    Parameters
    ----------
    text : str
        The start of the file.
    whole : bool
        Whether it is all of the file; if not, its last line is cut off.

    Raises
    ------
    NoHeaderError
        If no line can be one.
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
            raise NoHeaderError(f"line {first.line} is no header: {_shown(first.raw)}")
        return Header(_named(first.values), ",", first.line)
    _, header = max(found, key=lambda candidate: candidate[0])
    return header


def header_in(line: str, delimiter: str, number: int) -> Header:
    """Take a line that is known to be the names of columns."""
    return Header(_named(next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter))), delimiter, number)


def _candidate(text: str, mark: str) -> tuple[tuple[float, int], Header] | None:
    """Read the text with one delimiter: how well that fits, and the header that results."""
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
            f"line {header.line} is data, not the names of the columns: {_shown(header.raw)}; "
            "add a line with the names"
        )
    if index > 0 and _holds_numbers(header):
        # The names are more or fewer than the values: the row will say so.
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
    """Split text into records, each with the line that it begins in."""
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
    """Tell whether a line is a remark: it begins with ``#``, and is not the names of the columns."""
    if record.raw[:4].lower() == "sep=" or "LINUX-RESTART" in record.raw:
        return True
    if not record.raw.lstrip().startswith("#"):
        return False
    if record.values[0] in ANNOTATIONS or len(record.values) < 2:
        return True
    after = next((other for other in records if other.line > record.line and not other.raw.startswith("#")), None)
    return after is None or len(after.values) != len(record.values) or not _is_data(after)


def _is_data(record: _Record) -> bool:
    """Tell whether a record holds values rather than names."""
    return any(_NUMBER.match(value) or _TIME.match(value) for value in record.values)


def _holds_numbers(record: _Record) -> bool:
    """Tell whether a record further down can hardly be the names: it has a number, and no name of a time."""
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
    return f"{lines} before the names of the columns skipped ({_shown(records[0].raw)})"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
