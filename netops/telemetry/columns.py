"""Which column is what: time, device, ground truth, index, or something to be measured."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from netops.errors import NetopsError
from netops.telemetry.schema import ERROR_SUFFIX, IS_ERROR
from netops.telemetry.settings import TelemetrySettings

# What pandas and Arrow call an index that was written out without a name.
_UNNAMED = re.compile(r"\s*|Unnamed: \d+(_level_\d+)?(\.\d+)?|__index_level_\d+__|index")


@dataclass(frozen=True)
class Layout:
    """What the columns of one file are.

    Attributes
    ----------
    time : str
        The column of times.
    device : str or None
        The column of devices; None where the whole file is one device.
    flags : dict
        Column of ground truth → its name in the dataset (``is_error`` or ``<metric>_is_error``).
    values : tuple of str
        All others: metrics and attributes.
    ignored : dict
        Column → why it is none of them.
    """

    time: str
    device: str | None
    flags: dict[str, str]
    values: tuple[str, ...]
    ignored: dict[str, str]


def layout_of(names: Sequence[str], settings: TelemetrySettings, where: str) -> Layout:
    """Tell the columns of a file apart by their names.

    Raises
    ------
    NetopsError
        If there is no time column, or a name occurs twice.
    """
    refuse_twins(names, where)
    time = first_of(names, settings.time)
    if time is None:
        raise NetopsError(
            f"{where}: no time column ({' or '.join(settings.time)}); its columns are {brief(names)}; "
            "name it in the configuration under telemetry: time"
        )
    device = first_of([name for name in names if name != time], settings.device)
    ignored = {
        name: "an unnamed index" for name in names if _UNNAMED.fullmatch(name) and name not in (time, device)
    }
    flags = _flags([name for name in names if name not in (time, device)], settings, ignored)
    taken = {time, device, *flags, *ignored}
    return Layout(time, device, flags, tuple(name for name in names if name not in taken), ignored)


def _flags(names: list[str], settings: TelemetrySettings, ignored: dict[str, str]) -> dict[str, str]:
    label = first_of(names, settings.label)
    found = {} if label is None else {label: IS_ERROR}
    for name in names:
        if name.lower() in {known.lower() for known in settings.label} and name != label:
            ignored[name] = f"'{label}' is the label"
        elif name.endswith(ERROR_SUFFIX) and name != label:
            found[name] = name
    return found


def first_of(names: Iterable[str], wanted: Iterable[str]) -> str | None:
    """Find the first wanted name among the names there are, in any case."""
    names = list(names)
    for name in wanted:
        if found := next((known for known in names if known.strip().lower() == name.lower()), None):
            return found
    return None


def refuse_twins(names: Sequence[str], where: str) -> None:
    """Refuse two columns of one name."""
    twin = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twin is not None and len(set(names)) < len(names):
        raise NetopsError(f"{where}: two columns are named '{twin}'; rename one of them")


def matches(name: str, globs: Iterable[str]) -> bool:
    """Tell whether a name is one of the globs, literally or by its wildcards."""
    return any(name == glob or fnmatchcase(name, glob) for glob in globs)


def brief(names: Sequence[str], limit: int = 8) -> str:
    """List some names, and how many more there are."""
    shown = ", ".join(f"'{name}'" if not name.strip() else name for name in names[:limit])
    return shown + (f", … ({len(names)} in all)" if len(names) > limit else "")
