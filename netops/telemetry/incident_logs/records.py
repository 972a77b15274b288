"""The records of an incident log as text, for all file formats."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from netops.errors import NetopsError, brief
from netops.json_types import Json, JsonObject
from netops.telemetry.columns.roles import refuse_twins
from netops.telemetry.sources.arrow import ParquetTable, open_frame
from netops.telemetry.sources.content import PARQUET, TEXT, Content, look_at
from netops.telemetry.sources.csv import CsvTable, header_of
from netops.telemetry.sources.json import is_json
from netops.telemetry.sources.raw import RawTable

# A log is read into memory: a larger file is not a list of incidents.
_MAX_BYTES = 256 << 20


@dataclass
class Records:
    """A table of text values.

    Attributes
    ----------
    where : str
        The file.
    columns : dict
        Column → one value per record; an empty text is a missing value.
    lines : list of int
        Line in which each record begins, from 1; the number of the record if records are not lines.
    unit : str
        The unit of ``lines``: ``line``, ``row`` or ``entry``.
    """

    where: str
    columns: dict[str, list[str]]
    lines: list[int]
    unit: str = "line"

    def at(self, row: int) -> str:
        """Return where a record is: ``inc.csv: line 18``."""
        return f"{self.where}: {self.unit} {self.lines[row]}"


def read_records(path: Path, encoding: str = "") -> Records:
    """Read a log of incidents as text.

    Parameters
    ----------
    path : Path
    encoding : str
        Encoding of text, if known.

    Raises
    ------
    NetopsError
        If there is no such file, it is too large, its text cannot be decoded, or a record does not fit the header.
    """
    if not path.is_file():
        raise NetopsError(f"{path}: no such file")
    content = look_at(path, encoding, "telemetry.incidents.encoding")
    if content.kind == PARQUET:
        return _from_columns(ParquetTable(path))
    if content.kind != TEXT:
        return _from_columns(open_frame(content, ()))
    if is_json(content):
        return _from_json(_text(content), str(path))
    return _from_lines(CsvTable(content, header_of(content)))


def _too_large(where: Path | str) -> NetopsError:
    return NetopsError(f"{where}: more than {_MAX_BYTES >> 20} MB: too large for a log of incidents")


def _text(content: Content) -> str:
    try:
        with content.text() as stream:
            text = stream.read(_MAX_BYTES + 1)
    except UnicodeDecodeError as error:
        raise NetopsError(f"{content.path}: not {content.encoding.upper()} text: {error.reason}") from None
    except (OSError, EOFError, pa.ArrowInvalid) as error:
        raise NetopsError(f"{content.path}: cannot be read: {error}") from None
    if len(text) > _MAX_BYTES:
        raise _too_large(content.path)
    return text


def _from_columns(table: RawTable) -> Records:
    if table.memory > 8 * _MAX_BYTES:
        raise _too_large(table.where)
    columns: dict[str, list[str]] = {name: [] for name in table.names}
    for batch in table.scan(table.names):
        for name, values in columns.items():
            texts = batch.column(name).cast(pa.string()).to_pylist()
            values.extend((text or "").strip() for text in texts)
    count = len(next(iter(columns.values()), []))
    return Records(table.where, columns, list(range(1, count + 1)), "row")


def _from_lines(table: CsvTable) -> Records:
    names = [name.strip() for name in table.names]
    refuse_twins([name for name in names if name], table.where)
    rows, lines, size = [], [], 0
    for line, values in table.rows():
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(names):
            raise NetopsError(f"{table.where}: line {line}: {len(values)} values where the header has {len(names)}")
        size += sum(map(len, values))
        if size > _MAX_BYTES:
            raise _too_large(table.where)
        rows.append(values)
        lines.append(line)
    columns = {name: [row[index].strip() for row in rows] for index, name in enumerate(names) if name}
    return Records(table.where, columns, lines)


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


def _json_lines(text: str, where: str) -> Iterator[Json]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                raise NetopsError(f"{where}: line {number}: not readable JSON") from None


def _unwrapped(value: JsonObject) -> Json:
    """Return the list of an answer such as ``{"data": […]}`` or ``{"incidents": […]}``."""
    if any(isinstance(item, str | int | float) for item in value.values()) and "data" not in value:
        lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
        return lists[0] if len(lists) == 1 else [value]
    for key in ("data", "incidents", "alerts", "issues", "result", "records", "items"):
        if key in value:
            inner = value[key]
            return _unwrapped(inner) if isinstance(inner, Mapping) else inner
    return value


def _of_entries(entries: Iterable[Json], where: str) -> Records:
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


def _flat(entry: JsonObject, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    for key, value in entry.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and depth < 3:
            yield from _flat(value, f"{name}.", depth + 1)
        elif not isinstance(value, Mapping | list):
            yield name, "" if value is None else str(value).strip()


def _of_windows(windows: JsonObject, where: str) -> Records:
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
