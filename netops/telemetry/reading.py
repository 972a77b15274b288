"""Report of an ingestion, as text and as JSON: what was read and how."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from netops.json_types import JsonDict


@dataclass
class Dropped:
    """Rows or values that were dropped for one reason.

    Attributes
    ----------
    count : int
    where : str
        The first of them: file and row.
    value : str
        The value.
    """

    count: int = 0
    where: str = ""
    value: str = ""

    def add(self, count: int, where: str, value: object) -> None:
        """Add to the count; the first one is the example."""
        if count and not self.count:
            self.where, self.value = where, str(value)
        self.count += count


@dataclass
class SourceReport:
    """How one source was read.

    Attributes
    ----------
    where : str
        The file or address.
    format : str
        For example ``CSV, gzip, ';' between values, header in line 3``.
    shape : str
        ``one row per device and time``, ``one row per metric``, ``device in the column names``.
    time, device, metric_name : str
        The columns, several joined by ``+``; no device if the file is one device, no metric_name in wide form.
    notation, zone : str
        Notation of the times, and their time zone.
    not_devices : dict
        Rejected candidates for the device → reason.
    quantities : dict
        Column → notation of its numbers, unless it is plain.
    dropped : dict
        Reason → rows or values that were dropped.
    notes : list of str
        Other decisions, one line each.
    rows : int
    files : int
        Number of files with this report, if several are combined.
    """

    where: str
    format: str = ""
    shape: str = "one row per device and time"
    time: str = ""
    device: str = ""
    metric_name: str = ""
    notation: str = ""
    zone: str = ""
    not_devices: dict[str, str] = field(default_factory=dict)
    quantities: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, Dropped] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    rows: int = 0
    files: int = 1

    def drop(self, why: str, count: int, where: str, value: object) -> None:
        """Count dropped rows or values."""
        if count:
            self.dropped.setdefault(why, Dropped()).add(count, f"{self.where}: {where}", value)


@dataclass
class ReadingReport:
    """Report of a complete ingestion.

    Attributes
    ----------
    sources : list of SourceReport
    passed_over : dict
        Path → reason why it was not read.
    devices, samples : int
    metrics, attributes, counters : list of str
    left_out : dict
        Column → reason why it is not a metric.
    dropped : dict
        Rows dropped after reading, such as duplicates.
    interval_seconds : float
    first, last : str
        ISO 8601, UTC.
    """

    sources: list[SourceReport] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    devices: int = 0
    samples: int = 0
    metrics: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    counters: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, Dropped] = field(default_factory=dict)
    interval_seconds: float = 0.0
    first: str = ""
    last: str = ""

    def to_dict(self) -> JsonDict:
        """Return it as JSON-compatible values; sources with equal reports are combined, their rows summed."""
        found = asdict(self)
        found["sources"] = [asdict(source) for source in self._alike()]
        return found

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ReadingReport":
        """Read what :meth:`to_dict` wrote."""
        known = {name: value for name, value in values.items() if name in {f.name for f in fields(cls)}}
        sources = [
            SourceReport(**(source | {"dropped": _dropped(source["dropped"])})) for source in values["sources"]
        ]
        return cls(**(known | {"sources": sources, "dropped": _dropped(values["dropped"])}))

    def lines(self) -> list[str]:
        """Format it as text: what was read, decided and dropped; one line per kind."""
        return [*self._read(), *self._decided(), *self._set_aside()]

    def _alike(self) -> list[SourceReport]:
        """Combine sources with equal reports."""
        found: dict[str, SourceReport] = {}
        for source in self.sources:
            if source.dropped or source.notes:
                found[f"{len(found)}"] = source
                continue
            how = repr(replace(source, where="", rows=0, files=1))
            first = found.setdefault(how, replace(source, rows=0, files=0))
            first.rows, first.files = first.rows + source.rows, first.files + source.files
        return list(found.values())

    def _read(self) -> Iterator[str]:
        rows = sum(source.rows for source in self.sources)
        formats = _counted((source.format, source.files) for source in self.sources if source.format)
        if formats:
            yield f"read: {_count(sum(source.files for source in self.sources), 'file')}, {rows:,} rows ({formats})"
        if self.passed_over:
            named = [f"{path} ({why})" for path, why in list(self.passed_over.items())[:_NAMED]]
            more = len(self.passed_over) - len(named)
            yield f"skipped: {'; '.join(named)}" + (f"; {more} more" if more > 0 else "")

    def _decided(self) -> Iterator[str]:
        shapes = _counted((source.shape, source.files) for source in self.sources if source.shape)
        if shapes and shapes != "one row per device and time":
            yield f"shape: {shapes}"
        times = _counted(
            (f"{source.time} ({source.notation}; {source.zone})", source.files)
            for source in self.sources
            if source.notation
        )
        if times:
            yield f"time: {times}, every {self.interval_seconds:g} s from {self.first} to {self.last}"
        devices = _counted(
            (source.device or "the file's name", source.files) for source in self.sources if source.format
        )
        not_devices = {name: why for source in self.sources for name, why in source.not_devices.items()}
        others = f"; not {', '.join(f'{name} ({why})' for name, why in not_devices.items())}" if not_devices else ""
        if devices:
            yield f"device: {devices}, {_count(self.devices, 'device')}{others}"
        quantities: dict[str, list[str]] = {}
        for source in self.sources:
            for column, how in source.quantities.items():
                if column not in quantities.setdefault(how, []):
                    quantities[how].append(column)
        for how, columns in quantities.items():
            yield f"read {how}: {', '.join(columns[:_NAMED])}" + (
                f", … ({len(columns)} in all)" if len(columns) > _NAMED else ""
            )
        seen = dict.fromkeys(note for source in self.sources for note in source.notes)
        yield from seen

    def _set_aside(self) -> Iterator[str]:
        totals: dict[str, Dropped] = {}
        for source in self.sources:
            for why, found in source.dropped.items():
                totals.setdefault(why, Dropped()).add(found.count, found.where, found.value)
        totals |= self.dropped
        for why, found in totals.items():
            where = f"{found.where}{f': {found.value}' if found.value else ''}"
            example = f" (first: {where})" if found.where else ""
            yield f"warn: {why}: {found.count:,}{example}"


_NAMED = 8


def _dropped(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Dropped]:
    return {why: Dropped(**found) for why, found in values.items()}


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _counted(words: Iterator[tuple[str, int]]) -> str:
    """List distinct values, with the number of files of each if they differ."""
    found: dict[str, int] = {}
    for word, files in words:
        found[word] = found.get(word, 0) + files
    if len(found) == 1:
        return next(iter(found))
    some = [f"{word} ({_count(count, 'file')})" for word, count in list(found.items())[:_NAMED]]
    return ", ".join(some) + (f", … ({len(found)} in all)" if len(found) > _NAMED else "")
