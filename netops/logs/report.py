"""Report of the reading of logs: what was read and how, what was set aside and why."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from netops.errors import brief
from netops.json_types import JsonDict
from netops.logs.devices import DeviceNames
from netops.telemetry.reading import Dropped, SourceReport

_NAMED = 4


@dataclass
class LogReport:
    """How log files were read.

    Attributes
    ----------
    files : list of SourceReport
        One per file: format, zone of the times, messages (``rows``), lines that were set aside (``dropped``).
    passed_over : dict
        Path → reason why it was not read.
    what : str
        What the files are, for lines of text.
    """

    files: list[SourceReport] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    what: str = "logs"

    @property
    def messages(self) -> int:
        """Messages that were read, of known devices or not."""
        return sum(file.rows for file in self.files)

    def formats(self) -> dict[str, int]:
        """Count the files by format."""
        return dict(Counter(file.format for file in self.files))

    def dropped(self) -> dict[str, Dropped]:
        """Sum the lines that were set aside, by reason; the first is the example."""
        totals: dict[str, Dropped] = {}
        for file in self.files:
            for why, found in file.dropped.items():
                totals.setdefault(why, Dropped()).add(found.count, found.where, found.value)
        return totals

    def to_dict(self, devices: DeviceNames) -> JsonDict:
        """Return it as JSON-compatible values."""
        return {
            "messages": self.messages,
            "formats": dict(self.formats()),
            "files": [asdict(file) for file in self.files],
            "passed_over": dict(self.passed_over),
            "set_aside": {why: asdict(found) for why, found in self.dropped().items()},
            "devices": len(devices.names),
            "unknown_hosts": dict(devices.unknown.most_common()),
            "ambiguous_hosts": dict(devices.ambiguous.most_common()),
            "renamed": dict(devices.renamed),
        }

    def lines(self, devices: DeviceNames) -> Iterator[str]:
        """Format it as text, one line per fact."""
        formats = ", ".join(f"{name} ({_count(count, 'file')})" for name, count in self.formats().items())
        files = _count(len(self.files), "file")
        yield f"{self.what}: {files}, {_count(self.messages, 'message')}: {formats or 'no format'}"
        for zone in dict.fromkeys(file.zone for file in self.files if file.zone):
            yield f"{self.what}: times without a zone are {zone}"
        if self.passed_over:
            named = [f"{path} ({why})" for path, why in list(self.passed_over.items())[:_NAMED]]
            more = len(self.passed_over) - len(named)
            yield f"{self.what}: skipped: {'; '.join(named)}" + (f"; {more} more" if more > 0 else "")
        yield from self._devices(devices)
        for why, found in self.dropped().items():
            yield f"warn: {self.what}: {why}: {found.count:,} (first: {found.where}{_value(found.value)})"

    def _devices(self, devices: DeviceNames) -> Iterator[str]:
        if devices.renamed:
            pairs = ", ".join(f"{host} → {name}" for host, name in list(devices.renamed.items())[:_NAMED])
            more = f", … ({len(devices.renamed)} in all)" if len(devices.renamed) > _NAMED else ""
            yield f"{self.what}: hosts matched without case, spaces, domain and port: {pairs}{more}"
        for what, hosts in (
            ("hosts that are no device of the telemetry", devices.unknown),
            ("hosts that may be several devices of the telemetry", devices.ambiguous),
        ):
            if hosts:
                yield (f"warn: {self.what}: messages set aside, of {what}: {hosts.total():,} of {_by_count(hosts)}")


def _by_count(hosts: Mapping[str, int]) -> str:
    return brief(sorted(hosts, key=lambda host: (-hosts[host], host)), _NAMED)


def _value(value: str) -> str:
    return f": {value[:120]!r}" if value else ""


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
