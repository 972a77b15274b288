"""Read logs of devices: files and folders, formats by detection, in batches of bounded memory."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from netops.errors import NetopsError
from netops.logs.clock import LogClock, Period
from netops.logs.devices import DeviceNames
from netops.logs.formats.detection import detect, json_kind
from netops.logs.formats.protocol import Fields
from netops.logs.formats.registry import JSON, entries_of
from netops.logs.lines import read_lines
from netops.logs.records import LogBatch
from netops.logs.report import LogReport
from netops.logs.settings import LogSettings
from netops.progress import Progress, silent
from netops.telemetry.reading import SourceReport
from netops.telemetry.sources.content import ByteStream, encoding_of, open_bytes
from netops.telemetry.sources.normal import device_named_after

BATCH = 20_000
#: Lines that the format is detected from.
_SAMPLE = 1_000
_HEAD = 1 << 18
_UNREADABLE = "messages set aside, their time cannot be read"
_READING = "logs read"
#: The end of the name of a log file, rotated or not.
_LOG_FILE = re.compile(r"\.(?:log|syslog)(?:[.-]\d{1,8})?$")


@dataclass
class LogReader:
    """Messages of log files.

    Parameters
    ----------
    paths : sequence of Path
        Files, plain or compressed, and folders of them.
    settings : LogSettings
    devices : DeviceNames
        Receives the names of devices, and counts the messages of other hosts.
    timezone : str
        Zone of times without one, if the settings have none.
    period : Period, optional
        Determines years that lines do not have.
    progress : Progress

    Attributes
    ----------
    report : LogReport
        Filled while the files are read.
    """

    paths: Sequence[Path]
    settings: LogSettings = field(default_factory=LogSettings)
    devices: DeviceNames = field(default_factory=DeviceNames)
    timezone: str = ""
    period: Period | None = None
    progress: Progress = silent
    report: LogReport = field(default_factory=LogReport)

    def batches(self) -> Iterator[LogBatch]:
        """Read all files, one after another.

        Raises
        ------
        NetopsError
            If a file cannot be read or its format is not clear, or there is no message at all.
        """
        files = files_of(self.paths, self.settings.subfolders, self.report.passed_over)
        total, done = sum(file.stat().st_size for file in files), 0
        for file in files:
            yield from self._batches_of(file)
            done += file.stat().st_size
            self.progress(done, total, _READING)
        if not self.report.messages:
            problem = next(iter(self.report.dropped().items()), None)
            why = f": {problem[0]} (first: {problem[1].where})" if problem else ""
            raise NetopsError(f"{self.paths[0]}: no log messages{why}")

    def _batches_of(self, file: Path) -> Iterator[LogBatch]:
        stream, compression = open_bytes(file)
        with stream:
            head = _head(stream, file)
            if not head:
                self.report.passed_over[str(file)] = "empty"
                return
            encoding = self.settings.encoding or encoding_of(head)
            if head.count(0) > len(head) * (0.05 if encoding == "utf-8" else 0.6):
                if file in self.paths:
                    raise NetopsError(f"{file}: not text")
                self.report.passed_over[str(file)] = "not text"
                return
            yield from _FileReader(self, file, encoding, compression).batches(_Ahead(head, stream))


@dataclass
class _FileReader:
    """One file."""

    reader: LogReader
    file: Path
    encoding: str
    compression: str

    def batches(self, stream: "_Ahead") -> Iterator[LogBatch]:
        settings, where = self.reader.settings, str(self.file)
        name = self._format(stream.head)
        report = SourceReport(
            where, format=name.partition(" ")[0] + (f", {self.compression}" if self.compression else "")
        )
        self.reader.report.files.append(report)
        zone = settings.timezone or self.reader.timezone
        clock = LogClock(where, zone, settings.year, self.reader.period)
        blocks = read_lines(stream, "utf-8-sig" if self.encoding == "utf-8" else self.encoding, settings.max_line)
        rows: list[tuple[int, Fields]] = []
        try:
            entries = entries_of(blocks, name, where, settings.max_line, settings.host_labels)
            for number, fields, text in entries:
                if fields.__class__ is str:
                    report.drop(fields, 1, f"line {number}", text)
                    continue
                rows.append((number, fields))  # type: ignore[arg-type]
                if len(rows) == BATCH:
                    yield self._batch(rows, clock, report)
                    rows = []
        except (OSError, EOFError) as error:  # damaged compressed files
            raise NetopsError(
                f"{where}: cannot be read after {report.rows + len(rows):,} messages: {error}"
            ) from None
        if rows:
            yield self._batch(rows, clock, report)
        report.zone = clock.describe()

    def _format(self, head: bytes) -> str:
        text = head.decode("utf-8-sig" if self.encoding == "utf-8" else self.encoding, "replace")
        lines = text.split("\n", _SAMPLE)[:_SAMPLE]
        lines = [line.rstrip("\r") for line in (lines[:-1] if len(head) >= _HEAD and len(lines) > 1 else lines)]
        given = self.reader.settings.format
        if given:
            return json_kind(lines) if given == JSON else given
        devices = self.reader.devices
        return detect(lines, str(self.file), devices.is_device if devices.matched else None)

    def _batch(self, rows: list[tuple[int, Fields]], clock: LogClock, report: SourceReport) -> LogBatch:
        numbers, fields = zip(*rows, strict=True)
        texts, hosts, severities, messages = zip(*fields, strict=True)
        own = _LOG_FILE.sub("", device_named_after(self.file))
        hosts = tuple(host or own for host in hosts) if "" in hosts else hosts
        times, good = clock(list(texts), list(hosts))
        report.rows += int(np.count_nonzero(good))
        for row in np.flatnonzero(~good).tolist():
            report.drop(_UNREADABLE, 1, f"line {numbers[row]}", texts[row])
        devices = self.reader.devices
        codes = np.array(devices.codes(list(hosts)), np.int32)
        for row in np.flatnonzero(good & (codes < 0)).tolist():
            devices.count(hosts[row], int(codes[row]))
        rows_kept = np.flatnonzero(good & (codes >= 0))
        if len(rows_kept) < len(messages):
            messages = tuple(messages[row] for row in rows_kept.tolist())
        return LogBatch(
            times[rows_kept],
            codes[rows_kept],
            np.array(severities, np.int8)[rows_kept],
            list(messages),
            devices.names,
        )


class _Ahead:
    """A stream of which the start was read already."""

    def __init__(self, head: bytes, stream: ByteStream) -> None:
        self.head, self._left, self._stream = head, head, stream

    def read(self, nbytes: int = -1, /) -> bytes:
        """Read some bytes."""
        if self._left:
            found, self._left = self._left, b""
            return found
        return self._stream.read(nbytes)


def _head(stream: ByteStream, file: Path) -> bytes:
    chunks, size = [], 0
    try:
        while size < _HEAD and (chunk := stream.read(_HEAD - size)):
            chunks.append(chunk)
            size += len(chunk)
    except (OSError, EOFError) as error:
        raise NetopsError(f"{file}: cannot be read: {error}") from None
    return b"".join(chunks)


def files_of(paths: Sequence[Path], subfolders: bool, passed_over: dict[str, str]) -> list[Path]:
    """List log files: files as given, and those of folders by name.

    Parameters
    ----------
    paths : sequence of Path
    subfolders : bool
        Whether folders in folders are read.
    passed_over : dict
        Filled with what is not read → reason.

    Raises
    ------
    NetopsError
        If a path does not exist, or there is no file.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise NetopsError(f"{path}: no such file or folder")
        found += _files_in(path, subfolders, passed_over) if path.is_dir() else [path]
    if not found:
        raise NetopsError(f"{paths[0]}: no log file in this folder")
    return found


def _files_in(folder: Path, subfolders: bool, passed_over: dict[str, str]) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_symlink() and not entry.resolve().is_relative_to(folder.resolve()):
            passed_over[str(entry)] = "a link out of the folder"
        elif entry.is_dir():
            if subfolders:
                yield from _files_in(entry, subfolders, passed_over)
            else:
                passed_over[f"{entry}/"] = "a folder; read it with --set logs.subfolders=true"
        elif entry.is_file():
            yield entry
