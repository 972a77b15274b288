"""The records of an incident log as text, whatever file they are in: CSV, JSON, JSON lines, windows by device."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netops.errors import NetopsError
from netops.telemetry.columns import brief, refuse_twins
from netops.telemetry.incident_logs.names import plain

# A log is read at once: what is larger than this is no list of incidents.
_MAX_BYTES = 256 << 20
_SEPARATORS = (",", ";", "\t", "|")
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass
class Records:
    """A table of texts.

    Attributes
    ----------
    where : str
        The file.
    columns : dict
        Column → a value for each record; an empty text is no value.
    lines : list of int
        Where each record begins in the file, counted as an editor does; for JSON, its number.
    unit : str
        What ``lines`` counts: ``line`` or ``entry``.
    """

    where: str
    columns: dict[str, list[str]]
    lines: list[int]
    unit: str = "line"

    def at(self, row: int) -> str:
        """Say where a record is: ``inc.csv: line 18``."""
        return f"{self.where}: {self.unit} {self.lines[row]}"


def read_records(path: Path) -> Records:
    """Read a log of incidents as text.

    Raises
    ------
    NetopsError
        If there is no such file, it is too large, its text cannot be decoded, or a record does not fit the header.
    """
    if not path.is_file():
        raise NetopsError(f"{path}: no such file")
    text = _text(path)
    if text.lstrip()[:1] in ("[", "{"):
        return _from_json(text, str(path))
    return _from_csv(text, str(path))


def _text(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(2)
    with gzip.open(path) if head == b"\x1f\x8b" else path.open("rb") as stream:
        try:
            raw = stream.read(_MAX_BYTES + 1)
        except (OSError, EOFError) as error:
            raise NetopsError(f"{path}: cannot be read: {error}") from None
    if len(raw) > _MAX_BYTES:
        raise NetopsError(f"{path}: more than {_MAX_BYTES >> 20} MB: too large for a log of incidents")
    encoding = next((name for mark, name in _BOMS if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise NetopsError(
            f"{path}: line {line}: not {encoding.upper()} text; save it as UTF-8 (iconv -f cp1252 -t utf-8)"
        ) from None


def _from_csv(text: str, where: str) -> Records:
    lines = text.split("\n")
    skipped = 0
    separator = None
    while skipped < len(lines) and (not lines[skipped].strip() or _is_preamble(lines[skipped])):
        separator = _declared(lines[skipped]) or separator
        skipped += 1
    if skipped == len(lines):
        raise NetopsError(f"{where}: the file is empty")
    separator = separator or max(_SEPARATORS, key=lines[skipped].count)
    reader = csv.reader(io.StringIO("\n".join(lines[skipped:]), newline=""), delimiter=separator)
    try:
        header = [name.strip() for name in next(reader)]
        rows, numbers = _rows(reader, len(header), skipped, where)
    except csv.Error as error:
        raise NetopsError(f"{where}: line {skipped + reader.line_num}: {error}") from None
    refuse_twins([name for name in header if name], where)
    columns = {name: [row[i].strip() for row in rows] for i, name in enumerate(header) if name}
    return Records(where, columns, numbers)


def _is_preamble(line: str) -> bool:
    return (line.lstrip("\ufeff").startswith("#") and plain(line) == "") or _declared(line) is not None


def _declared(line: str) -> str | None:
    """Give the separator that a first line such as ``sep=;`` names, as spreadsheets write it."""
    line = line.strip().strip('"')
    return line[4:5] if line.lower().startswith("sep=") and len(line) == 5 else None


def _rows(reader: Any, width: int, skipped: int, where: str) -> tuple[list[list[str]], list[int]]:
    rows, numbers, line = [], [], skipped + reader.line_num + 1
    for row in reader:
        if any(value.strip() for value in row):
            if len(row) != width:
                raise NetopsError(f"{where}: line {line}: {len(row)} values where the header has {width}")
            rows.append(row)
            numbers.append(line)
        line = skipped + reader.line_num + 1
    return rows, numbers


def _from_json(text: str, where: str) -> Records:
    try:
        value = json.loads(text)
    except RecursionError:
        raise NetopsError(f"{where}: not readable JSON: nested too deeply") from None
    except ValueError:
        return _of_entries(_json_lines(text, where), where)
    if isinstance(value, Mapping):
        value = _unwrapped(value)
    if isinstance(value, Mapping):
        return _of_windows(value, where)
    if isinstance(value, list):
        return _of_entries(value, where)
    raise NetopsError(f"{where}: neither a list of incidents nor windows by device")


def _json_lines(text: str, where: str) -> Iterator[Any]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                raise NetopsError(f"{where}: line {number}: not readable JSON") from None


def _unwrapped(value: Mapping[str, Any]) -> Any:
    """Take the list out of an answer such as ``{"data": […]}`` or ``{"incidents": […]}``."""
    if any(isinstance(item, str | int | float) for item in value.values()) and "data" not in value:
        lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
        return lists[0] if len(lists) == 1 else [value]
    for key in ("data", "incidents", "alerts", "issues", "result", "records", "items"):
        if key in value:
            inner = value[key]
            return _unwrapped(inner) if isinstance(inner, Mapping) else inner
    return value


def _of_entries(entries: Iterable[Any], where: str) -> Records:
    columns: dict[str, list[str]] = {}
    count = 0
    for count, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            raise NetopsError(f"{where}: entry {count}: not an object with device, start and end")
        for name, value in _flat(entry):
            columns.setdefault(name, [""] * (count - 1)).append(value)
        for values in columns.values():
            if len(values) < count:
                values.append("")
    return Records(where, columns, list(range(1, count + 1)), "entry")


def _flat(entry: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    for key, value in entry.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and depth < 3:
            yield from _flat(value, f"{name}.", depth + 1)
        elif not isinstance(value, Mapping | list):
            yield name, "" if value is None else str(value).strip()


def _of_windows(windows: Mapping[str, Any], where: str) -> Records:
    """Read windows by device: ``{"r01": [["2026-01-05 02:16", "2026-01-05 02:24"]], …}``; one time is a start."""
    columns: dict[str, list[str]] = {"device": [], "start": [], "end": []}
    for name, spans in windows.items():
        if not isinstance(spans, list):
            raise NetopsError(f"{where}: '{name}': not a list of windows; its keys are {brief(list(windows))}")
        for span in spans:
            start, end = span if isinstance(span, list) and len(span) == 2 else (span, "")
            if isinstance(start, list | Mapping) or isinstance(end, list | Mapping):
                raise NetopsError(f"{where}: '{name}': a window is a start and an end, or a start")
            for column, value in zip(columns.values(), (name, start, end), strict=True):
                column.append("" if value is None else str(value).strip())
    if not any(columns["end"]):
        del columns["end"]
    return Records(where, columns, list(range(1, len(columns["start"]) + 1)), "entry")
