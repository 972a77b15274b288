"""Columns of telemetry that count log messages: their declaration, as a model card stores it."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from netops.errors import NetopsError
from netops.json_types import JsonDict
from netops.logs.records import Int8, Int32
from netops.logs.severity import ERROR, WARNING
from netops.logs.tally import Floats, Found
from netops.logs.templates.miner import NEW, Templates

#: Columns of every network with logs. A count is of the messages since the previous sample of the device.
MESSAGES, ERRORS, WARNINGS = "log_message_count", "log_error_count", "log_warning_count"
NEW_TEMPLATES, DISTINCT, SINCE_ERROR = "log_new_template_count", "log_distinct_templates", "log_seconds_since_error"
RARE_TEMPLATES = "log_rare_template_count"
GENERAL = (MESSAGES, ERRORS, WARNINGS, RARE_TEMPLATES, DISTINCT)
#: Digits of the hash of a template that are in the name of its column, if they differ from those of the others.
DIGITS = 6
_TEMPLATE, _PRECURSORS = "log_template_", "log_precursor_"


def _is_error(severities: Int8) -> npt.NDArray[np.bool_]:
    return (severities >= 0) & (severities <= ERROR)


def template_column(key: str) -> str:
    """Return the column that counts the messages of a template: ``log_template_3f9a1c_count``."""
    return f"{_TEMPLATE}{key}_count"


def name_templates(templates: Templates, selected: Iterable[int], taken: Iterable[str] = ()) -> tuple[str, ...]:
    """Name the columns of templates by the first digits of their hashes, as many as it takes to differ.

    Parameters
    ----------
    templates : Templates
    selected : iterable of int
    taken : iterable of str
        Names that other columns have.
    """
    used = set(taken)
    names = []
    for number in selected:
        key = templates.key(number)
        free = (template_column(key[:digits]) for digits in range(DIGITS, len(key) + 1))
        names.append(next(name for name in free if name not in used))
        used.add(names[-1])
    return tuple(names)


def precursor_column(templates: Templates, numbers: Iterable[int]) -> str:
    """Return the column that counts the messages of some templates together: ``log_precursor_3f9a1c_count``."""
    return f"{_PRECURSORS}{_key_of(templates, numbers)[:DIGITS]}_count"


def _key_of(templates: Templates, numbers: Iterable[int]) -> str:
    text = " ".join(sorted(map(templates.key, numbers)))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Carried:
    """What the champion counts and a new training counts as well.

    Attributes
    ----------
    columns : mapping
        Columns of templates → their numbers in the new training.
    groups : mapping
        Columns of several templates → their numbers in the new training.
    """

    columns: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class LogColumns:
    """Which messages are counted.

    Attributes
    ----------
    templates : Templates
        Learned on the training split; they do not change any more.
    selected : tuple of int
        The templates that have a column of their own.
    reach : int
        Nanoseconds: a message counts for the next sample of its device, if that is no later than this after it.
    names : tuple of str
        The columns, in order: counts, those of the selected templates among them and in their order, then seconds
        since the last error. Default: those of a new training.
    carried : tuple of str
        Those of them that only the champion counts: it is compared by them, and no new model takes them.
    delay : int
        Nanoseconds: a message counts as if it came that much later.
    rare : int
        A template of fewer messages of the training split is rare, as is an unknown one.
    interval : int
        Nanoseconds between samples of devices without metrics; 0 if there are none.
    groups : mapping
        Columns that count the messages of several templates → the templates.
    """

    entry: ClassVar[str] = "logs"
    covers: ClassVar[bool] = True

    templates: Templates
    selected: tuple[int, ...]
    reach: int
    names: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    delay: int = 0
    rare: int = 1
    interval: int = 0
    groups: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.names:
            own = name_templates(self.templates, self.selected)
            object.__setattr__(self, "names", (*GENERAL, *own, SINCE_ERROR))

    @classmethod
    def combine(
        cls,
        templates: Templates,
        selected: Iterable[int],
        carried: Carried,
        reach: int,
        delay: int = 0,
        rare: int = 1,
        interval: int = 0,
        precursors: tuple[int, ...] = (),
    ) -> "LogColumns":
        """Declare the columns of a new training, and those that the champion counts as well.

        Parameters
        ----------
        templates : Templates
        selected : iterable of int
        carried : Carried
            A selected template keeps the name of its column.
        reach, delay, rare, interval : int
        precursors : tuple of int
            Templates that precede incidents, whose messages are counted together.
        """
        counted, groups = carried.columns, dict(carried.groups)
        selected, known = tuple(selected), {number: name for name, number in counted.items()}
        kept = {n: known[n] for n in selected if n in known and _is_named_by(known[n], templates.key(n))}
        fresh = [number for number in selected if number not in kept]
        named = kept | dict(zip(fresh, name_templates(templates, fresh, counted), strict=True))
        extra = {name: number for name, number in counted.items() if name not in kept.values()}
        own = {precursor_column(templates, precursors): precursors} if precursors else {}
        others = (*extra, *(name for name in groups if name not in own))
        groups |= own
        names = (*GENERAL, *(named[number] for number in selected), *extra, *groups, SINCE_ERROR)
        numbers = (*selected, *extra.values())
        return cls(templates, numbers, reach, names, others, delay, rare, interval, groups)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Columns of templates → the number of the template."""
        return dict(zip(filter(_is_template, self.names), self.selected, strict=True))

    def counts(self, found: Found) -> list[Floats]:
        """Return the columns with counts."""
        return [self._count(name, found) for name in self.names if name != SINCE_ERROR]

    def _count(self, name: str, found: Found) -> Floats:
        number = self.numbers.get(name)
        if number is not None:
            return found.count(found.templates == number)
        if name == RARE_TEMPLATES:
            return found.count(self._are_rare[found.templates])
        if name in self.groups:
            return found.count(self._members[name][found.templates])
        return _COUNTS[name](found)

    @cached_property
    def _are_rare(self) -> npt.NDArray[np.bool_]:
        """Mark the rare templates; the last element is that of messages without a template."""
        return np.append(np.array(self.templates.counts(), np.int64) < self.rare, True)

    @cached_property
    def _members(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Mark the templates of each group; the last element is that of messages without a template."""
        every = np.arange(len(self.templates) + 1)
        return {name: np.isin(every, numbers) for name, numbers in self.groups.items()}

    def since(self, severities: Int8, templates: Int32) -> list[npt.NDArray[np.bool_]]:
        """Mark the errors."""
        return [_is_error(severities)]

    def kinds_of(self, texts: Sequence[str]) -> list[int]:
        """Return the template of each message, ``NEW`` if it has none."""
        return self.templates.find(texts).tolist()

    def text_of(self, kind: int) -> str:
        """Return the text of a template; empty for ``NEW``."""
        return "" if kind == NEW else self.templates.text(kind)

    def texts(self) -> dict[str, str]:
        """Return the columns of templates → the text of the template."""
        return {name: self.templates.text(number) for name, number in self.numbers.items()}

    def keys(self) -> dict[str, str]:
        """Return the columns of templates and groups → the hash of what they count."""
        groups = {name: _key_of(self.templates, numbers) for name, numbers in self.groups.items()}
        return {name: self.templates.key(number) for name, number in self.numbers.items()} | groups

    def to_dict(self) -> JsonDict:
        """Return it as JSON-compatible values."""
        return {
            "columns": list(self.names),
            "carried": list(self.carried),
            "selected": list(self.selected),
            "reach": self.reach,
            "delay": self.delay,
            "rare": self.rare,
            "interval": self.interval,
            "groups": {name: list(numbers) for name, numbers in self.groups.items()},
            "texts": dict(self.texts()),
            "keys": dict(self.keys()),
            "templates": self.templates.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "LogColumns":
        """Read what :meth:`to_dict` wrote; earlier versions named templates by their numbers.

        Raises
        ------
        NetopsError
            If it is damaged.
        """
        templates = Templates.from_dict(values["templates"])
        selected = tuple(map(int, values["selected"]))
        if any(not 0 <= number < len(templates) for number in selected):
            raise NetopsError("log templates: a selected template does not exist")
        names = tuple(map(str, values["columns"]))
        groups = {str(name): tuple(map(int, numbers)) for name, numbers in values.get("groups", {}).items()}
        if any(not 0 <= number < len(templates) for numbers in groups.values() for number in numbers):
            raise NetopsError("log templates: a template of a group does not exist")
        _check(names, selected, groups)
        carried = tuple(map(str, values.get("carried", ())))
        return cls(templates, selected, int(values["reach"]), names, carried, *_options(values), groups)


def _digits(name: str) -> str:
    return name.removeprefix(_TEMPLATE).removesuffix("_count")


def _options(values: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return delay, rare and interval; cards of earlier versions have none of them."""
    return int(values.get("delay", 0)), int(values.get("rare", 1)), int(values.get("interval", 0))


def _is_named_by(name: str, key: str) -> bool:
    """Return whether a column is named by a hash; those of earlier versions are named by numbers."""
    return len(_digits(name)) >= DIGITS and key.startswith(_digits(name))


def _is_template(name: str) -> bool:
    return name.startswith(_TEMPLATE)


def _check(names: tuple[str, ...], selected: tuple[int, ...], groups: Iterable[str]) -> None:
    known = {RARE_TEMPLATES, *_COUNTS, *groups}
    unknown = [name for name in names[:-1] if not _is_template(name) and name not in known]
    if unknown or len(set(names)) < len(names) or names[-1:] != (SINCE_ERROR,):
        raise NetopsError(f"log columns: {', '.join(unknown) or 'they'} cannot be counted by this version")
    if sum(map(_is_template, names)) != len(selected):
        raise NetopsError("log columns: templates and columns differ in number")


_COUNTS: dict[str, Callable[[Found], Floats]] = {
    MESSAGES: lambda found: np.bincount(found.rows, minlength=found.samples).astype(np.float64),
    ERRORS: lambda found: found.count(_is_error(found.severities)),
    WARNINGS: lambda found: found.count(found.severities == WARNING),
    NEW_TEMPLATES: lambda found: found.count(found.templates == NEW),
    DISTINCT: Found.distinct,
}
