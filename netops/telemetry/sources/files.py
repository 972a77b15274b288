"""CSV and Parquet files, and folders of them."""

from collections.abc import Sequence
from pathlib import Path

from netops.errors import NetopsError
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.sources.csv import CsvSource
from netops.telemetry.sources.normal import CSV, KNOWN
from netops.telemetry.sources.parquet import ParquetSource
from netops.telemetry.sources.protocol import Source


def file_sources(paths: Sequence[Path], settings: TelemetrySettings) -> list[Source]:
    """Open files and folders of files.

    A folder stands for the files in it, in the order of their names, but for names that begin with ``_`` or
    ``.`` and other kinds of files; its subfolders are not looked into.

    Raises
    ------
    NetopsError
        If something is missing, or is neither CSV nor Parquet.
    """
    return [_open(file, settings) for path in paths for file in files_of(path)]


def _open(file: Path, settings: TelemetrySettings) -> Source:
    return CsvSource(file, settings) if file.name.lower().endswith(CSV) else ParquetSource(file, settings)


def files_of(path: Path) -> list[Path]:
    """List the files that a path stands for."""
    if not path.exists():
        raise NetopsError(f"{path}: no such file or folder")
    if path.is_dir():
        return _files_in(path)
    if not path.name.lower().endswith(KNOWN):
        raise NetopsError(f"{path}: neither CSV nor Parquet; its name should end in {' or '.join(KNOWN)}")
    if path.stat().st_size == 0:
        raise NetopsError(f"{path}: the file is empty")
    return [path]


def _files_in(folder: Path) -> list[Path]:
    inside = sorted(entry for entry in folder.iterdir() if not entry.name.startswith(("_", ".")))
    files = [entry for entry in inside if entry.is_file() and entry.name.lower().endswith(KNOWN)]
    if not files:
        below = [entry.name for entry in inside if entry.is_dir()]
        hint = f"; give one of its folders: {', '.join(below[:5])}" if below else ""
        raise NetopsError(f"{folder}: no CSV or Parquet file in this folder{hint}")
    return [entry for file in files for entry in files_of(file)]
