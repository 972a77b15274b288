"""Files in all supported formats, and folders of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from netops.compute.cluster import Cluster
from netops.errors import NetopsError
from netops.telemetry.columns.roles import layout_of
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.arrow import ParquetTable, open_frame
from netops.telemetry.sources.content import PARQUET, TEXT, Content, look_at
from netops.telemetry.sources.csv import CsvTable, header_of, split_sections
from netops.telemetry.sources.items import read_items
from netops.telemetry.sources.json import is_json, open_json
from netops.telemetry.sources.raw import RawTable, Rows
from netops.telemetry.sources.reopened import ReopenedTable
from netops.telemetry.sources.tables import TableSource, table_sources

_PACKED = ("", ".gz", ".bz2", ".zst", ".xz", ".lz4", ".zip")
_TEXT = (".csv", ".tsv", ".jsonl", ".ndjson")
_MAYBE = (".txt", ".tab", ".dat", ".json", ".zip", ".xlsx", ".xls", ".log")
_COLUMNS = (".parquet", ".pq", ".feather", ".arrow")
#: Suffixes of files that are always telemetry …
KNOWN = (*(ending + packed for ending in _TEXT for packed in _PACKED), *_COLUMNS)
#: … and of files that may be: read if passed explicitly; in a folder, only if their columns are those of telemetry.
POSSIBLE = (*KNOWN, *(ending + packed for ending in _MAYBE for packed in _PACKED))


def file_sources(
    paths: Sequence[Path],
    settings: TelemetrySettings,
    passed_over: dict[str, str],
    cluster: Cluster | None = None,
    holds: bool = True,
) -> list[TableSource]:
    """Open files and folders of files.

    A folder means the files in it, in the order of their names, except names that begin with ``_`` or
    ``.``, other kinds of files and, unless ``telemetry: subfolders`` is set, its subfolders.

    Parameters
    ----------
    paths : sequence of Path
    settings : TelemetrySettings
    passed_over : dict
        Filled with the files of a folder that are not read → reason.
    cluster : Cluster, optional
        Whose workers read files to open them; then none is held.
    holds : bool
        Whether files that are read as a whole, such as JSON, stay in memory until they are converted.

    Raises
    ------
    NetopsError
        If something is missing, or its columns are not those of telemetry.
    """
    files = [found for path in paths for found in files_of(path, settings, passed_over)]
    tables: list[RawTable] = []
    for (file, is_sure), opened in zip(files, _opened(files, settings, cluster, holds), strict=True):
        if not isinstance(opened, NetopsError):
            tables.extend(opened)
        elif is_sure:
            raise opened
        else:
            passed_over[str(file)] = str(opened).removeprefix(f"{file}: ")
    if not tables:
        raise NetopsError(f"{paths[0]}: no CSV or Parquet file with telemetry in this folder")
    return table_sources(tables, settings, read_items(settings.items), cluster)


def _opened(
    files: Sequence[tuple[Path, bool]], settings: TelemetrySettings, cluster: Cluster | None, holds: bool
) -> Iterator[list[RawTable] | NetopsError]:
    """Open each file, or give the reason why it cannot be read."""
    if cluster is None:
        yield from (_open(file, is_sure, settings, holds) for file, is_sure in files)
        return
    whole = [index for index, (file, _) in enumerate(files) if _is_read_whole(file, settings)]
    remote = dict(zip(whole, cluster.results(_open, [(*files[i], settings, False) for i in whole]), strict=True))
    for index, (file, is_sure) in enumerate(files):
        yield remote[index] if index in remote else _open(file, is_sure, settings, holds=False)


def _open(file: Path, is_sure: bool, settings: TelemetrySettings, holds: bool) -> list[RawTable] | NetopsError:
    """Open one file; unless it is sure, its columns must be those of telemetry."""
    try:
        opened = list(open_tables(file, settings))
        if not is_sure:
            layout_of(opened[0].names, settings, str(file), Rows(opened[:1]))
    except NetopsError as error:
        return error
    if holds:
        return opened
    return [
        ReopenedTable(table, file, index, settings, open_tables) if table.held else table
        for index, table in enumerate(opened)
    ]


def _is_read_whole(file: Path, settings: TelemetrySettings) -> bool:
    """Return whether a file has to be read to be opened, rather than its first rows; not if it is damaged."""
    if file.name.lower().endswith((".parquet", ".pq")):
        return False
    try:
        content = look_at(file, settings.encoding)
        if content.kind in (PARQUET, TEXT) and not is_json(content):
            return content.kind == TEXT and header_of(content).sections
    except NetopsError:
        return False
    return True


def open_tables(path: Path, settings: TelemetrySettings) -> Iterator[RawTable]:
    """Open the tables of one file.

    Raises
    ------
    NetopsError
        If its format is not supported.
    """
    if path.name.lower().endswith((".parquet", ".pq")):
        yield ParquetTable(path, settings.nulls)
        return
    content = look_at(path, settings.encoding)
    if content.kind == PARQUET:
        yield ParquetTable(path, settings.nulls)
    elif content.kind != TEXT:
        yield open_frame(content, settings.nulls)
    elif is_json(content):
        yield open_json(content, settings.nulls)
    else:
        yield from _open_text(content, settings)


def _open_text(content: Content, settings: TelemetrySettings) -> Iterator[RawTable]:
    header = header_of(content)
    if not header.sections:
        yield CsvTable(content, header, settings.nulls)
        return

    some = False
    for found, rows, line in split_sections(content, header):
        some = True
        yield CsvTable(content, found, settings.nulls, (rows, line))
    if not some:
        raise NetopsError(f"{content.path}: no samples, only column names")


def files_of(path: Path, settings: TelemetrySettings, passed_over: dict[str, str]) -> list[tuple[Path, bool]]:
    """List the files of a path, and whether each must be telemetry."""
    if not path.exists():
        raise NetopsError(f"{path}: no such file or folder")
    if path.is_dir():
        return _files_in(path, settings, passed_over)
    if not path.is_file():
        raise NetopsError(f"{path}: neither a file nor a folder")
    if not path.name.lower().endswith(POSSIBLE):
        raise NetopsError(
            f"{path}: neither CSV nor Parquet, JSON, Arrow or Excel; its name should end in .csv, .tsv, .txt, "
            ".jsonl, .json, .parquet, .feather or .xlsx, text also in .gz, .bz2, .xz, .zst or .zip"
        )
    if path.stat().st_size == 0:
        raise NetopsError(f"{path}: the file is empty")
    return [(path, True)]


def _files_in(folder: Path, settings: TelemetrySettings, passed_over: dict[str, str]) -> list[tuple[Path, bool]]:
    found: list[tuple[Path, bool]] = []
    below: list[str] = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(("_", ".")):
            continue
        if entry.is_dir() and entry.is_symlink():
            passed_over[f"{entry}/"] = "a link to a folder; pass the folder itself"
        elif entry.is_dir():
            below.append(entry.name)
            if settings.subfolders:
                found.extend(_files_in(entry, settings, passed_over))
            else:
                passed_over[f"{entry}/"] = "a folder; read it with --set telemetry.subfolders=true"
        elif not entry.is_file():
            passed_over[str(entry)] = "neither a file nor a folder"
        elif not _is_within(entry, folder):
            passed_over[str(entry)] = "a link out of the folder"
        elif entry.name.lower().endswith(KNOWN):
            found.extend(files_of(entry, settings, passed_over))
        elif entry.name.lower().endswith(POSSIBLE):
            found.append((entry, False))
        else:
            passed_over[str(entry)] = "not a supported file type"
    if not found:
        hint = f"; pass one of its folders: {', '.join(below[:5])}" if below else ""
        raise NetopsError(f"{folder}: no CSV or Parquet file in this folder{hint}")
    return found


def _is_within(entry: Path, folder: Path) -> bool:
    """Return whether a file is in the folder, not a link to a file outside."""
    return not entry.is_symlink() or entry.resolve().is_relative_to(folder.resolve())
