"""Roles of columns: time, device, ground truth, index, or measured value."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from netops.errors import NetopsError, brief
from netops.telemetry.columns.device import AnyRows, RowsToLookAt, find_devices
from netops.telemetry.columns.known_names import (
    METRIC_NAMES,
    VALUES,
    WEAK_METRIC_NAMES,
    columns_of,
    first_of,
    key_of,
)
from netops.telemetry.schema import ERROR_SUFFIX, IS_ERROR
from netops.telemetry.settings import TelemetrySettings
from netops.telemetry.times.columns import find_times

# Names that pandas and Arrow give to an index without a name.
_UNNAMED = re.compile(r"\s*|Unnamed: \d+(_level_\d+)?(\.\d+)?|__index_level_\d+__|index")
# Columns that tools add in long form, which are neither metrics nor identify rows.
_ANNOTATIONS = ("result", "table", "_start", "_stop", "ns", "unit", "units", "unitname", "timegrain", "interval")
_STATISTICS = ("average", "avg", "mean", "total", "sum", "minimum", "min", "maximum", "max", "count", "samplecount")


@dataclass(frozen=True)
class Layout:
    """Roles of the columns of one file.

    Attributes
    ----------
    times : tuple of str
        The column of times; two if date and time of day are separate.
    devices : tuple of str
        The columns that identify the device; none if the file contains one device.
    flags : dict
        Column of ground truth → its name in the dataset (``is_error`` or ``<metric>_is_error``).
    values : tuple of str
        All others: metrics and attributes.
    ignored : dict
        Column → reason why it is not used.
    metric_names : tuple of str
        Long form, one row per metric: the columns that name it; none otherwise.
    value : str
        Long form: the column of its values.
    not_devices : dict
        Rejected candidates for the device → reason.
    """

    times: tuple[str, ...]
    devices: tuple[str, ...]
    flags: dict[str, str]
    values: tuple[str, ...]
    ignored: dict[str, str]
    metric_names: tuple[str, ...] = ()
    value: str = ""
    not_devices: dict[str, str] = field(default_factory=dict)

    @property
    def time(self) -> str:
        """The column of times, or of dates."""
        return self.times[0]

    @property
    def device(self) -> str | None:
        """The device columns in the notation of ``telemetry: device``; None if the file contains one device."""
        return "+".join(self.devices) or None

    @property
    def is_long(self) -> bool:
        """Whether there is one row per metric."""
        return bool(self.metric_names)


def layout_of(
    names: Sequence[str], settings: TelemetrySettings, where: str, rows: RowsToLookAt | None = None
) -> Layout:
    """Determine the roles of the columns of a file from their names and, if necessary, from its rows.

    Parameters
    ----------
    names : sequence of str
    settings : TelemetrySettings
    where : str
        The file, for errors.
    rows : RowsToLookAt, optional
        Without rows, only the names are used.

    Raises
    ------
    NetopsError
        If there is no time column, a column that was configured is missing, or a name occurs twice.
    """
    refuse_twins(names, where)
    rows = rows or AnyRows()
    times = find_times(names, settings.times, rows)
    if not times:
        raise NetopsError(f"{where}: {_no_time(names, settings, rows)}")
    ignored = {name: "an unnamed index" for name in names if _UNNAMED.fullmatch(name)}
    others = [name for name in names if name not in times]
    metric_names, value = _long_form(others, settings, rows, times, where)
    devices = find_devices([n for n in others if n not in (*metric_names, value)], settings.devices, rows, times)
    ignored = {name: why for name, why in ignored.items() if name not in (*times, *devices.columns)}
    taken = {*times, *devices.columns, *metric_names, value}
    flags = _flags([name for name in names if name not in taken], settings, ignored)
    if value:
        ignored |= {
            name: f"next to the values ('{value}')"
            for name in others
            if name not in taken
            and name not in flags
            and key_of(name) in map(key_of, (*_ANNOTATIONS, *_STATISTICS))
        }
    taken |= {*flags, *ignored}
    values = tuple(name for name in names if name not in taken)
    return Layout(times, devices.columns, flags, values, ignored, metric_names, value, devices.not_devices)


def _no_time(names: Sequence[str], settings: TelemetrySettings, rows: RowsToLookAt) -> str:
    known = settings.time if len(settings.time) < 4 else (*settings.time[:3], "…")
    message = f"no time column ({' or '.join(known)}); its columns are {brief(names)}; "
    found = next((name for name in names if rows.holds_times(name)), None)
    if found is not None:
        return message + f"'{found}' contains times: --set {quoted('telemetry.time', found)}"
    return message + "name it in the configuration under telemetry: time (--set telemetry.time=NAME)"


def quoted(key: str, value: str) -> str:
    """Format a setting for ``--set`` in a shell."""
    plain = re.fullmatch(r"[\w.+@/:-]+", value) is not None
    return f"{key}={value}" if plain else "'" + f"{key}={value}".replace("'", "'\\''") + "'"


def listed(key: str, value: str) -> str:
    """Format a setting that is a list of one text for ``--set`` in a shell."""
    return quoted(key, json.dumps([value], ensure_ascii=False))


def _flags(names: list[str], settings: TelemetrySettings, ignored: dict[str, str]) -> dict[str, str]:
    label = first_of(names, settings.label)
    found = {} if label is None else {label: IS_ERROR}
    for name in names:
        if name.lower() in {known.lower() for known in settings.label} and name != label:
            ignored[name] = f"'{label}' is the label"
        elif name.endswith(ERROR_SUFFIX) and name != label:
            found[name] = name
    return found


def _long_form(
    names: Sequence[str], settings: TelemetrySettings, rows: RowsToLookAt, times: tuple[str, ...], where: str
) -> tuple[tuple[str, ...], str]:
    """Find the columns of metric names and values, where there is one row per metric."""
    if settings.metric_name:
        found = columns_of(settings.metric_name, names)
        if found is None:
            raise NetopsError(
                f"{where}: no column '{settings.metric_name}' (telemetry: metric_name); "
                f"its columns are {brief(names)}"
            )
        value = first_of(names, [settings.value] if settings.value else VALUES)
        if value is None:
            raise NetopsError(
                f"{where}: no column of the values ({settings.value or 'value'}); its columns are {brief(names)}; "
                "name it: --set telemetry.value=NAME"
            )
        return found, value
    value = first_of(names, [settings.value] if settings.value else VALUES)
    if value is None or not (rows.is_numeric(value) or settings.value):
        return (), ""
    strong = first_of(names, METRIC_NAMES)
    name = strong or first_of(names, WEAK_METRIC_NAMES)
    if name is None or name == value or (rows.is_numeric(name) and key_of(name) != "itemid"):
        return (), ""
    not_devices = {key_of(known) for known in (*_ANNOTATIONS, *_STATISTICS, *settings.label, *settings.devices)}
    rest = [other for other in names if other not in (name, value) and key_of(other) not in not_devices]
    if not settings.value and any(rows.is_numeric(other) and not other.endswith(ERROR_SUFFIX) for other in rest):
        return (), ""
    if strong is None:
        devices = find_devices([n for n in names if n not in (name, value)], settings.devices, rows, times)
        if not rows.repeats((*times, *devices.columns)):
            return (), ""
    return (name,), value


def refuse_twins(names: Sequence[str], where: str) -> None:
    """Raise if two columns have the same name."""
    if len(set(names)) == len(names):
        return
    twin = next(name for index, name in enumerate(names) if name in names[:index])
    raise NetopsError(f"{where}: two columns are named '{twin}'; rename one of them")


def matches(name: str, globs: Iterable[str]) -> bool:
    """Return whether a name is one of the globs, literally or by its wildcards."""
    return any(name == glob or fnmatchcase(name, glob) for glob in globs)
