"""Columns of telemetry that count log messages: their declaration, as a model card stores it."""

from collections.abc import Mapping
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
GENERAL = (MESSAGES, ERRORS, WARNINGS, NEW_TEMPLATES, DISTINCT)


def _is_error(severities: Int8) -> npt.NDArray[np.bool_]:
    return (severities >= 0) & (severities <= ERROR)


def template_column(number: int) -> str:
    """Return the column that counts the messages of a template: ``log_template_17_count``."""
    return f"log_template_{number}_count"


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
    """

    entry: ClassVar[str] = "logs"
    covers: ClassVar[bool] = True

    templates: Templates
    selected: tuple[int, ...]
    reach: int

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return (*GENERAL, *map(template_column, self.selected), SINCE_ERROR)

    def counts(self, found: Found) -> list[Floats]:
        """Return the columns with counts."""
        errors, templates = _is_error(found.severities), found.templates
        general = (templates == templates, errors, found.severities == WARNING, templates == NEW)
        return [
            *map(found.count, general),
            found.distinct(),
            *(found.count(templates == number) for number in self.selected),
        ]

    def since(self, severities: Int8, templates: Int32) -> list[npt.NDArray[np.bool_]]:
        """Mark the errors."""
        return [_is_error(severities)]

    def texts(self) -> dict[str, str]:
        """Return the columns of templates → the text of the template."""
        return {template_column(number): self.templates.text(number) for number in self.selected}

    def to_dict(self) -> JsonDict:
        """Return it as JSON-compatible values."""
        return {
            "columns": list(self.names),
            "selected": list(self.selected),
            "reach": self.reach,
            "texts": dict(self.texts()),
            "templates": self.templates.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "LogColumns":
        """Read what :meth:`to_dict` wrote.

        Raises
        ------
        NetopsError
            If it is damaged.
        """
        templates = Templates.from_dict(values["templates"])
        selected = tuple(map(int, values["selected"]))
        if any(not 0 <= number < len(templates) for number in selected):
            raise NetopsError("log templates: a selected template does not exist")
        return cls(templates, selected, int(values["reach"]))
