"""Read incidents from the records of an incident log: roles of columns, values."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from netops.config.durations import SECOND, format_duration, parse_duration
from netops.errors import NetopsError, UsageError, brief
from netops.telemetry.incident_logs import names
from netops.telemetry.incident_logs.log import OPEN, IncidentLog
from netops.telemetry.incident_logs.records import Records, read_records
from netops.telemetry.incident_logs.transitions import pair, state_column
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.times.reader import TimeReader
from netops.telemetry.times.unreadable import UnreadableValueError

Int64 = npt.NDArray[np.int64]

# End of an active alert in Alertmanager.
_NEVER = "0001-01-01"


def read_incidents(path: Path, settings: TelemetrySettings) -> IncidentLog:
    """Read a log of incidents.

    Parameters
    ----------
    path : Path
        A file in any format supported for telemetry, or JSON windows by device.
    settings : TelemetrySettings
        Names of columns (``incidents``; for the device, also ``device``).

    Raises
    ------
    NetopsError
        If it cannot be read, lacks a column, or contains an invalid time; names the column and the line.
    """
    records = read_records(path, settings.incidents.encoding)
    return _Reading(records, settings).log()


class _Reading:
    """One log, column by column."""

    def __init__(self, records: Records, settings: TelemetrySettings) -> None:
        self.records, self.options = records, settings.incidents
        self.names = list(records.columns)
        self.device = self._device_column(self.options.device or (*settings.device, *names.DEVICE))
        self.zone = self.options.timezone or settings.timezone
        self.notes: list[str] = []
        if self.options.device and self.device is None:
            raise self._missing("device", self.options.device)

    def _device_column(self, wanted: Sequence[str]) -> str | None:
        """Find the device column; combine several columns that identify the device, as for telemetry."""
        for name in wanted:
            parts = [names.find(self.names, [part]) for part in name.split("+")]
            if len(parts) > 1 and all(parts):
                columns = [self.records.columns[part] for part in parts if part]
                self.records.columns[name] = ["/".join(values) for values in zip(*columns, strict=True)]
                return name
            if len(parts) == 1 and parts[0]:
                return parts[0]
        return None

    def log(self) -> IncidentLog:
        """Read the log."""
        records, count = self.records, len(self.records.lines)
        start = self._column("start", self.options.start, names.START)
        starts = self._starts(start)
        if (changes := self._changes(start, starts)) is not None:
            return changes
        ends = self._ends(start, starts)
        for row in np.flatnonzero(ends <= starts)[:1]:
            raise NetopsError(f"{records.at(row)}: the incident does not end after its start")
        kind = names.find(self._others(start), self.options.kind or names.KIND)
        name = names.find(self._others(start, kind), names.ID)
        devices = records.columns[self.device] if self.device else [""] * count
        self._refuse_nameless(devices)
        return IncidentLog(
            records.where,
            list(devices),
            list(records.columns[kind]) if kind else [""] * count,
            starts,
            ends,
            [value or None for value in records.columns[name]] if name else [],
            [records.at(row) for row in range(count)],
            tuple(self.notes),
        )

    def _changes(self, start: str, starts: Int64) -> IncidentLog | None:
        """Read a log with one row when a device goes down, and one when it is up again."""
        known = (self.options.end or names.END) + (self.options.duration or names.DURATION)
        if self.device is None or names.find(self._others(start), known):
            return None
        records = self.records
        column = state_column(records.columns, self._others(start))
        devices = records.columns[self.device]
        found = pair(devices, starts, records.columns[column], OPEN) if column else None
        if column is None or found is None:
            return None
        self._refuse_nameless(devices)
        rows, ends = found
        note = f"'{column}' contains state changes (down, up): {len(rows)} incidents of {len(starts)} rows"
        return IncidentLog(
            records.where,
            [devices[row] for row in rows],
            [""] * len(rows),
            starts[rows],
            ends,
            [],
            [records.at(row) for row in rows],
            (note,),
        )

    def _refuse_nameless(self, devices: Sequence[str]) -> None:
        if self.device and (row := next((i for i, name in enumerate(devices) if not name), None)) is not None:
            raise NetopsError(f"{self.records.at(row)}: column '{self.device}' is empty")

    def _others(self, *taken: str | None) -> list[str]:
        return [name for name in self.names if name not in (self.device, *taken)]

    def _column(self, what: str, asked: tuple[str, ...], usual: tuple[str, ...]) -> str:
        found = names.find(self._others(), asked or usual)
        if found is None:
            raise self._missing(what, asked)
        return found

    def _missing(self, what: str, asked: tuple[str, ...]) -> NetopsError:
        named = f" named {' or '.join(asked)}" if asked else ""
        return NetopsError(
            f"{self.records.where}: no column for the {what}{named}; its columns are {brief(self.names)}; "
            f"name it with --set 'telemetry.incidents.{what}=[NAME]'"
        )

    def _starts(self, column: str) -> Int64:
        values = self.records.columns[column]
        for row, value in enumerate(values):
            if value.lower() in names.NULLS:
                raise NetopsError(
                    f"{self.records.at(row)}: column '{column}': the start of the incident is missing"
                )
        return self._times(column, list(range(len(values))))

    def _ends(self, start: str, starts: Int64) -> Int64:
        end = names.find(self._others(start), self.options.end or names.END)
        if end is not None:
            values = self.records.columns[end]
            rows = [row for row, value in enumerate(values) if not _is_open(value)]
            ends = np.full(len(values), OPEN)
            ends[rows] = self._times(end, rows)
            return ends
        if self.options.end:
            raise self._missing("end", self.options.end)
        column = names.find(self._others(start), self.options.duration or names.DURATION)
        if column is not None:
            return self._after(column, starts)
        if self.options.duration:
            raise self._missing("duration", self.options.duration)
        if len(starts):
            self._refuse_unnamed_end(start, starts)
            length = format_duration(self.options.length)
            self.notes.append(
                f"no end column: the length of each incident is set to {length} (telemetry.incidents.length)"
            )
        return starts + self.options.length

    def _refuse_unnamed_end(self, start: str, starts: Int64) -> None:
        """Raise instead of using the default length if a column contains times after the starts."""
        for name in self._others(start):
            values = self.records.columns[name]
            rows = [row for row, value in enumerate(values) if not _is_open(value)]
            try:
                later = self._read([values[row] for row in rows], [self._owner(row) for row in rows]) > starts[rows]
            except UnreadableValueError:
                continue
            if len(rows) and later.all():
                raise NetopsError(
                    f"{self.records.where}: column '{name}' contains times after the starts: is it the end? "
                    f"Name it with --set 'telemetry.incidents.end=[{name}]', or drop it"
                )

    def _after(self, column: str, starts: Int64) -> Int64:
        ends = np.full(len(starts), OPEN)
        unit = names.seconds_of(column)
        for row, value in enumerate(self.records.columns[column]):
            if value.lower() not in names.NULLS - {"0"}:
                try:
                    ends[row] = starts[row] + max(1, duration_of(value, unit))
                except (UsageError, ValueError):
                    raise NetopsError(
                        f"{self.records.at(row)}: column '{column}': invalid duration {value!r}: expected "
                        "10m, 0:10:00, or a number"
                    ) from None
        return ends

    def _times(self, column: str, rows: list[int]) -> Int64:
        values = self.records.columns[column]
        try:
            return self._read([values[row] for row in rows], [self._owner(row) for row in rows])
        except UnreadableValueError as error:
            problem = error.problem.replace("telemetry.time_format", "telemetry.incidents.time_format")
            hint = "" if "--set" in problem else "; name its format with --set telemetry.incidents.time_format=…"
            raise NetopsError(
                f"{self.records.at(rows[error.row])}: column '{column}': {error.value!r} is {problem}{hint}"
            ) from None

    def _owner(self, row: int) -> str:
        return self.records.columns[self.device][row] if self.device else ""

    def _read(self, values: list[str], owners: list[str]) -> Int64:
        """Read times in the configured notation and time zone; each column may have its own notation."""
        if not values:
            return np.array([], np.int64)
        times: Int64 = TimeReader(self.options.time_format, self.zone)(
            pa.array(values, pa.string()), owners
        ).nanoseconds
        return times


def _is_open(value: str) -> bool:
    return value.lower() in names.NULLS or value.startswith(_NEVER)


def duration_of(text: str, unit: float = 1.0) -> int:
    """Parse a duration as in ticket systems: ``10m``, ``1h 30m``, ``0:10:00``, ``PT10M``, or a number.

    Parameters
    ----------
    text : str
    unit : float
        Seconds per unit, for a number without a unit.

    Returns
    -------
    int
        Nanoseconds.

    Raises
    ------
    ValueError, UsageError
        If the text is not a duration.
    """
    text = text.strip()
    for read in (_number(unit), _clock, _words):
        if (found := read(text)) is not None:
            return found
    return parse_duration(text)


def _number(unit: float) -> Callable[[str], int | None]:
    def read(text: str) -> int | None:
        try:
            return round(float(text.replace(",", "")) * unit * SECOND)
        except ValueError:
            return None

    return read


def _clock(text: str) -> int | None:
    """Read ``[days ]hours:minutes[:seconds]``."""
    days, _, clock = text.rpartition(" ")
    parts = clock.split(":")
    if len(parts) not in (2, 3) or not all(part.replace(".", "", 1).isdigit() for part in parts):
        return None
    hours, minutes, seconds = (*map(float, parts), 0.0)[:3]
    whole_days = float(days.split()[0]) if days else 0.0
    return round((((whole_days * 24 + hours) * 60 + minutes) * 60 + seconds) * SECOND)


def _words(text: str) -> int | None:
    """Read several units in a row: ``1h 30m``, ``2 hours 5 minutes``, ISO 8601's ``PT1H30M``."""
    text = (
        re.sub(r"^P(?:(\d+)D)?T?", lambda found: f"{found[1]}d " if found[1] else "", text)
        if (text.startswith("P"))
        else text
    )
    pattern = r"(\d+(?:\.\d+)?)\s*(d|h|m|s)(?:ays?|ours?|rs?|inutes?|ins?|econds?|ecs?)?\b[\s,]*(?:and\s+)?"
    compact = re.sub(r"(?<=[a-z])(?=\d)", " ", text.lower())
    if not re.fullmatch(f"(?:{pattern})+", compact):
        return None
    return sum(parse_duration(f"{number}{unit}") for number, unit in re.findall(pattern, compact))
