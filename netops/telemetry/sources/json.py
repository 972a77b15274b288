"""Telemetry in JSON: lines, arrays, and API responses of monitoring tools."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa

from netops.errors import NetopsError
from netops.telemetry.sources.arrow import ArrowTable, column_of
from netops.telemetry.sources.content import Content
from netops.telemetry.sources.json_documents import Record, flat, records_of

_LARGEST = 2 << 30


def open_json(content: Content, nulls: Sequence[str]) -> ArrowTable:
    """Open a JSON file: one object per line, a list of objects, or the API response of a monitoring tool.

    Raises
    ------
    NetopsError
        If it is not JSON, or contains no samples; names the line.
    """
    path = content.path
    with content.open() as stream:
        raw = stream.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise NetopsError(f"{path}: JSON of more than 2 GB; write it as Parquet or CSV")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    packed = f", {content.compression}" if content.compression else ""
    if _is_lines(raw):
        records, lines = _read_lines(str(path), raw)
        return ArrowTable(str(path), f"JSON lines{packed}", table_of(records), nulls, lines)
    try:
        found = records_of(msgspec.json.decode(raw))
    except (msgspec.DecodeError, RecursionError) as error:
        raise NetopsError(f"{path}: not JSON: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NetopsError(f"{path}: JSON with an unknown structure ({error})") from None
    if not found or not found[0]:
        raise NetopsError(f"{path}: no samples: expected a list of objects, or one object per line")
    return ArrowTable(str(path), found[1] + packed, table_of(found[0]), nulls)


def is_json(content: Content) -> bool:
    """Check whether text is JSON, by its name and its first characters."""
    start = content.head.lstrip("\ufeff \t\r\n")[:2]
    named = any(part in (".json", ".jsonl", ".ndjson") for part in Path(content.path.name.lower()).suffixes)
    return start[:1] == "{" or (start[:1] == "[" and (named or start[1:2] in '{[ \r\n\t"]'))


def _is_lines(raw: bytes) -> bool:
    """Return whether there is an object on the first line, and something after it."""
    first, _, rest = raw.lstrip().partition(b"\n")
    if not first.startswith(b"{") or not rest.strip():
        return False
    try:
        msgspec.json.decode(first, type=dict)
    except msgspec.DecodeError:
        return False
    return True


def _read_lines(where: str, raw: bytes) -> tuple[list[Record], list[int]]:
    records, lines = [], []
    decoder = msgspec.json.Decoder(Record)
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            records.append(flat(decoder.decode(line)))
        except (msgspec.DecodeError, RecursionError) as error:
            raise NetopsError(f"{where}: line {number}: not a JSON object: {error}") from None
        lines.append(number)
    return records, lines


def table_of(records: Sequence[Record]) -> pa.Table:
    """Convert records into columns; missing fields are null."""
    names = dict.fromkeys(name for record in records for name in record)
    return pa.table({name: column_of([record.get(name) for record in records]) for name in names})
