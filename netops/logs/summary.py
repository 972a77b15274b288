"""Summary of logs: what was read, how many messages by severity and template, of which devices."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from netops.config.durations import HOUR
from netops.errors import brief
from netops.json_types import JsonDict
from netops.logs.clock import Period
from netops.logs.devices import DeviceNames
from netops.logs.reading import LogReader
from netops.logs.records import Int64, LogBatch
from netops.logs.report import LogReport
from netops.logs.settings import LogSettings
from netops.logs.severity import NAMES, name_of
from netops.logs.templates.miner import Templates
from netops.progress import Progress, silent
from netops.telemetry.times.instants import iso

_SHOWN = 12
#: Severities from 0 to 7 and unknown, which is counted last.
_LEVELS = len(NAMES) + 1


@dataclass(frozen=True)
class TemplateCount:
    """A template and its messages.

    Attributes
    ----------
    number : int
    text : str
    severity : str
        The most severe of its messages.
    messages, devices : int
        Counts.
    """

    number: int
    text: str
    severity: str
    messages: int
    devices: int


@dataclass(frozen=True)
class LogSummary:
    """What logs contain.

    Attributes
    ----------
    report : LogReport
        How they were read.
    hosts : DeviceNames
        How hosts were matched with devices.
    first, last : str
        ISO 8601, UTC.
    messages, outside : int
        Messages of known devices, and how many of them are before or after the telemetry.
    per_device_hour : float
        Mean messages of a device in an hour.
    severities : dict
        Severity → messages.
    templates : list of TemplateCount
        Most frequent first.
    untemplated : int
        Messages that have no template because there are too many.
    without_logs : list of str
        Devices of the telemetry without a message.
    """

    report: LogReport
    hosts: DeviceNames
    first: str
    last: str
    messages: int
    outside: int
    per_device_hour: float
    severities: dict[str, int]
    templates: list[TemplateCount]
    untemplated: int
    without_logs: list[str]

    def to_dict(self) -> JsonDict:
        """Return it as JSON-compatible values."""
        return {
            "reading": self.report.to_dict(self.hosts),
            "first": self.first,
            "last": self.last,
            "messages": self.messages,
            "outside": self.outside,
            "per_device_hour": self.per_device_hour,
            "severities": dict(self.severities),
            "templates": [asdict(template) for template in self.templates],
            "untemplated": self.untemplated,
            "devices": len(self.hosts.names),
            "without_logs": list(self.without_logs),
        }

    def reading(self) -> list[str]:
        """Return the description of how they were read, as lines."""
        lines = list(self.report.lines(self.hosts))
        if self.outside:
            lines.append(
                f"warn: logs: messages outside of the time of the telemetry: {self.outside:,} of {self.messages:,}"
                f" (messages from {self.first} to {self.last}; check logs.timezone and logs.year)"
            )
        if self.without_logs:
            lines.append(
                f"warn: logs: devices without a message: {len(self.without_logs):,} ({brief(self.without_logs, 4)})"
            )
        if self.untemplated:
            lines.append(
                f"warn: logs: messages without a template, as there are more than logs.templates.max_templates: "
                f"{self.untemplated:,}"
            )
        return lines

    def lines(self) -> list[str]:
        """Return the summary as lines of text."""
        if not self.messages:
            return [*self.reading(), "messages: none of a device of the telemetry"]
        levels = ", ".join(f"{name} {count:,}" for name, count in self.severities.items() if count)
        return [
            *self.reading(),
            f"messages: {self.messages:,} of {len(self.hosts.names):,} devices from {self.first} to {self.last}, "
            f"{self.per_device_hour:.3g} per device and hour",
            f"severities: {levels}",
            f"templates ({len(self.templates)}): messages, devices, severity",
            *(f"  {_template(template)}" for template in self.templates[:_SHOWN]),
            *([f"  … and {len(self.templates) - _SHOWN} more"] if len(self.templates) > _SHOWN else []),
        ]


def _template(found: TemplateCount) -> str:
    text = found.text if len(found.text) <= 120 else found.text[:119] + "…"
    return f"{found.messages:,}, {found.devices:,}, {found.severity}: {text}"


def summarise_logs(
    paths: Sequence[Path],
    settings: LogSettings,
    devices: Sequence[str],
    timezone: str = "",
    period: Period | None = None,
    progress: Progress = silent,
) -> LogSummary:
    """Read logs and summarise them.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders.
    settings : LogSettings
    devices : sequence of str
        The devices of the telemetry.
    timezone : str
        Zone of times without one, if the settings have none.
    period : Period, optional
        The time of the telemetry.
    progress : Progress

    Raises
    ------
    NetopsError
        If the logs cannot be read.
    """
    reader = LogReader(paths, settings, DeviceNames(devices), timezone, period, progress)
    counts = _Counts(Templates(settings.templates), period)
    for batch in reader.batches():
        counts.add(batch)
    known = set(reader.devices.names)
    return LogSummary(
        report=reader.report,
        hosts=reader.devices,
        first=iso(counts.first),
        last=iso(counts.last),
        messages=counts.messages,
        outside=counts.outside,
        per_device_hour=counts.messages / max(1, len(known)) / max(1.0, (counts.last - counts.first) / HOUR),
        severities=dict(zip((*NAMES, "unknown"), counts.severities.tolist(), strict=True)),
        templates=counts.ranked(),
        untemplated=counts.templates.unlearned,
        without_logs=sorted(set(devices) - known),
    )


class _Counts:
    """Counts that are updated batch by batch."""

    def __init__(self, templates: Templates, period: Period | None) -> None:
        self.templates, self._period = templates, period
        self.messages, self.outside, self.first, self.last = 0, 0, 0, 0
        self.severities = np.zeros(_LEVELS, np.int64)
        self._worst: dict[int, int] = {}
        self._devices: dict[int, set[int]] = {}

    def add(self, batch: LogBatch) -> None:
        """Count the messages of a batch, and learn their templates."""
        if not len(batch):
            return
        self._add_times(batch.times)
        levels = np.where(batch.severities < 0, _LEVELS - 1, batch.severities)
        self.severities += np.bincount(levels, minlength=_LEVELS)
        self.templates.learn(batch.messages)
        found = self.templates.find(batch.messages)
        pairs = np.unique(np.stack([found, batch.devices]), axis=1)
        for number, device in pairs.T.tolist():
            self._devices.setdefault(number, set()).add(device)
        for number, level in np.unique(np.stack([found, levels.astype(np.int32)]), axis=1).T.tolist():
            self._worst[number] = min(level, self._worst.get(number, level))

    def _add_times(self, times: Int64) -> None:
        first, last = int(times.min()), int(times.max())
        self.first = min(first, self.first) if self.messages else first
        self.last = max(last, self.last) if self.messages else last
        self.messages += len(times)
        if self._period is not None:
            self.outside += int(np.count_nonzero((times < self._period.first) | (times > self._period.last)))

    def ranked(self) -> list[TemplateCount]:
        """Return the templates, most frequent first."""
        return sorted(
            (
                TemplateCount(
                    number,
                    self.templates.text(number),
                    name_of(self._level(number)),
                    count,
                    len(self._devices.get(number, ())),
                )
                for number, count in enumerate(self.templates.counts())
            ),
            key=lambda template: (-template.messages, template.number),
        )

    def _level(self, number: int) -> int:
        level = self._worst.get(number, _LEVELS - 1)
        return -1 if level == _LEVELS - 1 else level
