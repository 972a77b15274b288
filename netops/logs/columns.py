"""Columns of telemetry that count log messages: their declaration, as a model card stores it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
_TEMPLATE = "log_template_"


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

    def __post_init__(self) -> None:
        if not self.names:
            own = name_templates(self.templates, self.selected)
            object.__setattr__(self, "names", (*GENERAL, *own, SINCE_ERROR))

    @classmethod
    def combine(
        cls,
        templates: Templates,
        selected: Iterable[int],
        carried: Mapping[str, int],
        reach: int,
        delay: int = 0,
        rare: int = 1,
        interval: int = 0,
    ) -> "LogColumns":
        """Declare the columns of a new training, and those that the champion counts as well.

        Parameters
        ----------
        templates : Templates
        selected : iterable of int
        carried : mapping
            Columns of the champion → their templates here. A selected template keeps the name of its column.
        reach, delay, rare, interval : int
        """
        selected, known = tuple(selected), {number: name for name, number in carried.items()}
        kept = {n: known[n] for n in selected if n in known and _is_named_by(known[n], templates.key(n))}
        fresh = [number for number in selected if number not in kept]
        named = kept | dict(zip(fresh, name_templates(templates, fresh, carried), strict=True))
        extra = {name: number for name, number in carried.items() if name not in kept.values()}
        names = (*GENERAL, *(named[number] for number in selected), *extra, SINCE_ERROR)
        return cls(templates, (*selected, *extra.values()), reach, names, tuple(extra), delay, rare, interval)

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
        return _COUNTS[name](found)

    @cached_property
    def _are_rare(self) -> npt.NDArray[np.bool_]:
        """Mark the rare templates; the last element is that of messages without a template."""
        return np.append(np.array(self.templates.counts(), np.int64) < self.rare, True)

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
        """Return the columns of templates → the hash of the template."""
        return {name: self.templates.key(number) for name, number in self.numbers.items()}

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
        _check(names, selected)
        carried = tuple(map(str, values.get("carried", ())))
        return cls(templates, selected, int(values["reach"]), names, carried, *_options(values))


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


def _check(names: tuple[str, ...], selected: tuple[int, ...]) -> None:
    unknown = [name for name in names[:-1] if not _is_template(name) and name not in (RARE_TEMPLATES, *_COUNTS)]
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
