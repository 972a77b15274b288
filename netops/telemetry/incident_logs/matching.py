"""Match the incidents of a log with the devices and times of the telemetry."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from netops.errors import NetopsError, brief
from netops.json_types import JsonDict
from netops.telemetry.incident_logs.log import OPEN, IncidentLog
from netops.telemetry.times.instants import iso

Spans = Mapping[str, tuple[int, int]]

# A longer fraction of the telemetry of a device is implausible for one incident.
_LONG = 0.2


@dataclass(frozen=True)
class LogSummary:
    """How the incidents of a log were used.

    Attributes
    ----------
    where : str
        The file.
    read, used : int
        Incidents in it, and those that overlap the telemetry of their device.
    outside : int
        Those before or after the telemetry of their device; ``first_outside`` locates the first.
    others : int
        Those of devices without telemetry; ``other_devices`` names them, ``first_other`` locates the first.
    renamed : dict
        Device as the log names it → as the telemetry does.
    open, long : int
        Used incidents without an end, and those longer than a fifth of the telemetry of their device.
    notes : tuple of str
        Assumptions made.
    """

    where: str
    read: int
    used: int
    outside: int
    others: int
    first_outside: str
    first_other: str
    other_devices: tuple[str, ...]
    renamed: dict[str, str]
    open: int
    long: int
    notes: tuple[str, ...]

    def to_dict(self) -> JsonDict:
        """Return it as JSON-compatible values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "LogSummary":
        """Read what :meth:`to_dict` wrote."""
        lists = {key: tuple(values[key]) for key in ("other_devices", "notes")}
        return cls(**{**values, **lists})

    def lines(self) -> list[str]:
        """Format it as text: one line for the log, and one per problem."""
        lines = [f"incidents: {self.where}: {self.used} of {self.read} used"]
        if self.outside:
            lines.append(
                f"warn: incidents: {self.outside} of {self.read} are outside of the telemetry of their device "
                f"(first: {self.first_outside})"
            )
        if self.others:
            are = "is" if self.others == 1 else "are"
            lines.append(
                f"warn: incidents: {self.others} of {self.read} {are} of devices without telemetry: "
                f"{brief(self.other_devices)} (first: {self.first_other})"
            )
        if self.renamed:
            lines.append(
                f"incidents: devices matched without case, spaces, domain and port: {_pairs(self.renamed)}"
            )
        if self.open:
            lines.append(f"warn: incidents: {self.open} without an end: each lasts to the end of the telemetry")
        if self.long:
            lines.append(f"warn: incidents: {self.long} longer than a fifth of the telemetry of their device")
        return lines + [f"incidents: {note}" for note in self.notes]


def match(log: IncidentLog, spans: Spans) -> tuple[IncidentLog, LogSummary]:
    """Match incidents to devices, and select those within the telemetry.

    Parameters
    ----------
    log : IncidentLog
    spans : mapping
        Device → its first and last sample, in nanoseconds.

    Returns
    -------
    log : IncidentLog
        The incidents of devices with telemetry, with the device names of the telemetry.
    summary : LogSummary

    Raises
    ------
    NetopsError
        If no incident overlaps the telemetry, or most are of devices without telemetry.
    """
    devices = _devices(log, spans)
    rows = [row for row, device in enumerate(devices) if device is not None]
    others = [row for row, device in enumerate(devices) if device is None]
    if 2 * len(others) > len(log):
        raise _mostly_others(log, others, spans)
    selected = log.take(rows, [device for device in devices if device is not None])
    first = np.array([spans[device][0] for device in selected.devices], np.int64)
    last = np.array([spans[device][1] for device in selected.devices], np.int64)
    inside = (selected.starts <= last) & (selected.ends > first)
    if len(log) and not inside.any():
        raise _all_outside(selected, spans)
    open_, long = selected.ends == OPEN, (selected.ends - selected.starts) > _LONG * (last - first)
    outside = np.flatnonzero(~inside)
    names = zip((log.devices[row] for row in rows), selected.devices, strict=True)
    renamed = {name: device for name, device in names if name not in ("", device)}
    return selected, LogSummary(
        where=log.where,
        read=len(log),
        used=int(inside.sum()),
        outside=len(outside),
        others=len(others),
        first_outside=_location(selected.at[outside[0]]) if len(outside) else "",
        first_other=_location(log.at[others[0]]) if others else "",
        other_devices=tuple(dict.fromkeys(log.devices[row] for row in others)),
        renamed=renamed,
        open=int((inside & open_).sum()),
        long=int((inside & ~open_ & long & (last > first)).sum()),
        notes=log.notes,
    )


def _devices(log: IncidentLog, spans: Spans) -> Sequence[str | None]:
    if not log.has_devices:
        if len(spans) == 1:
            return [*spans] * len(log)
        raise NetopsError(
            f"{log.where}: no device column, and the telemetry has {len(spans)} devices; "
            "name it with --set 'telemetry.incidents.device=[NAME]'"
        )
    known = Names(spans)
    found = {name: known.find(name) for name in dict.fromkeys(log.devices)}
    return [found[name] for name in log.devices]


class Names:
    """Find devices of the telemetry by their names in a ticket system."""

    def __init__(self, devices: Iterable[str]) -> None:
        self._exact: set[str] = set()
        self._by_form: list[dict[str, set[str]]] = [defaultdict(set) for _ in _FORMS]
        self.replace(devices)

    def replace(self, devices: Iterable[str]) -> None:
        """Change to other devices; fast if most of them are the same."""
        wanted = set(devices)
        for device in self._exact - wanted:
            for form, known in zip(_FORMS, self._by_form, strict=True):
                known[form(device)].discard(device)
        for device in wanted - self._exact:
            self.add(device)
        self._exact = wanted

    def add(self, device: str) -> None:
        """Add a device."""
        self._exact.add(device)
        for form, known in zip(_FORMS, self._by_form, strict=True):
            known[form(device)].add(device)

    def find(self, name: str) -> str | None:
        """Find a device by its name, then without case and spaces, domain and port; never by similarity."""
        if name in self._exact:
            return name
        for form, known in zip(_FORMS, self._by_form, strict=True):
            found = known.get(form(name), set())
            if len(found) == 1:
                return next(iter(found))
        return None

    def is_ambiguous(self, name: str) -> bool:
        """Return whether a name that :meth:`find` does not find is a form of several devices' names."""
        return any(len(known.get(form(name), ())) > 1 for form, known in zip(_FORMS, self._by_form, strict=True))


def _folded(name: str) -> str:
    return re.sub(r"\s+", "", name).casefold()


def _without_path(name: str) -> str:
    """Remove folder and suffix: windows by device often use the file name of the device."""
    return re.sub(r"\.(csv|tsv|txt|parquet|json)(\.\w+)?$", "", _folded(name).replace("\\", "/").rsplit("/", 1)[-1])


def _without_domain(name: str) -> str:
    short = _folded(name)
    return short if re.fullmatch(r"[\d.]+|[\da-f:]*:[\da-f:.]*", short) else short.split(".", 1)[0]


def _without_port(name: str) -> str:
    """Remove the port of an exporter, then the domain: ``r01.corp.example:9100`` is ``r01``."""
    return _without_domain(re.sub(r"^([^:]+):\d{1,5}$", r"\1", _folded(name)))


_FORMS = (_folded, _without_path, _without_domain, _without_port)


def _location(at: str) -> str:
    return at.rsplit(": ", 1)[-1]


def _pairs(renamed: Mapping[str, str], limit: int = 4) -> str:
    shown = ", ".join(f"{name} → {device}" for name, device in list(renamed.items())[:limit])
    return shown + (f", … ({len(renamed)} in all)" if len(renamed) > limit else "")


def _mostly_others(log: IncidentLog, others: Sequence[int], spans: Spans) -> NetopsError:
    names = list(dict.fromkeys(log.devices[row] for row in others))
    return NetopsError(
        f"{log.where}: {len(others)} of {len(log)} incidents are of devices without telemetry: {brief(names)} "
        f"(first: {_location(log.at[others[0]])}); the telemetry has {brief(sorted(spans))}"
    )


def _all_outside(log: IncidentLog, spans: Spans) -> NetopsError:
    first, last = zip(*spans.values(), strict=True)
    known = log.ends[log.ends != OPEN]
    until = iso(int(known.max())) if len(known) else "now"
    return NetopsError(
        f"{log.where}: no incident overlaps the telemetry: they range from {iso(int(log.starts.min()))} to "
        f"{until}, the telemetry from {iso(min(first))} to {iso(max(last))} (UTC)"
    )
